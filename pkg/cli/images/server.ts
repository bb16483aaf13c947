/** A registry as people write it: `docker login` takes hosts and addresses alike. */
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { placeOf } from '#pkg/apis/dockerconfig.ts'
import { UsageError } from '../errors.ts'

/** As references name it; Docker Hub when nothing is said. Throws UsageError for what is no registry. */
export function registryNamed(server: string | undefined, command: string): string {
  if (server === undefined) return 'docker.io'
  const place = placeOf(server)
  const parsed = parseReference(`${place}/any`)
  if (parsed.ok && /^(library\/)?any$/.test(parsed.reference.repository)) return parsed.reference.registry
  throw new UsageError(`"${server}" is no registry such as registry.example.com:5000`, command)
}
