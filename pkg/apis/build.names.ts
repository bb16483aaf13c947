/** What the image of a Build is called. Apart from the schema, which takes a while to load: commands tell of names without it. Pure. */
import type { Build } from './build.ts'

/** Names that its image has: of one without tags its own, which no registry has. */
export function namesOfBuild({ metadata, spec }: Pick<Build, 'metadata' | 'spec'>): readonly string[] {
  return spec.tags.length > 0 ? spec.tags : [ownNameOfBuild(metadata)]
}

/** Of the image of a Build without tags. */
export function ownNameOfBuild({
  namespace = 'default',
  name,
}: {
  namespace?: string
  name: string
}): string {
  return `localhost/${namespace}/${name}:latest`
}
