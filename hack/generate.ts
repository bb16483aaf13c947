/**
 * Everything derived from the sources. `node hack/generate.ts` writes it, with `--verify` it only compares and fails
 * when a file differs, is missing, or is left over.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { customResourceDefinition } from '#pkg/apis/crd.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { writeYaml } from '#pkg/manifest/yaml.ts'
import { driftPage } from './drift.ts'
import { eventsPage } from './events.ts'
import { completeLock } from './lock.ts'
import { pageName, referenceIndex, referencePage } from './reference.ts'

const root = resolve(import.meta.dirname, '..')
const folder = 'docs/reference'
const crdFolder = 'manifests/crds'

/** Path from the root -> content. */
function derived(): Map<string, string> {
  const own = kinds.filter(({ group }) => group === 'cove.run')
  return new Map([
    ...own.map((kind): [string, string] => [`${crdFolder}/${kind.plural}.cove.run.yaml`, crdFile(kind)]),
    [`${folder}/README.md`, referenceIndex(kinds)],
    ...kinds.map((kind): [string, string] => [`${folder}/${pageName(kind)}`, referencePage(kind)]),
    ['docs/events.md', eventsPage()],
    ['docs/drift.md', driftPage()],
    ['package-lock.json', completeLock(readFileSync(join(root, 'package-lock.json'), 'utf8'))],
  ])
}

/** For an API server of Kubernetes: `kubectl apply -f manifests/crds`. */
function crdFile(kind: Kind): string {
  const about = '# Written by `make generate` from pkg/apis; change the schema, not this file.\n'
  return about + writeYaml(customResourceDefinition(kind))
}

function found(path: string): string | undefined {
  return globSync(path, { cwd: root }).length > 0 ? readFileSync(join(root, path), 'utf8') : undefined
}

/** Files of kinds that are no more. */
function leftOver(files: ReadonlyMap<string, string>): string[] {
  return globSync([`${folder}/*`, `${crdFolder}/*`], { cwd: root }).filter((path) => !files.has(path))
}

/** Paths that are not what `generate` would leave behind; sorted. */
export function stale(): string[] {
  const files = derived()
  const differing = [...files].filter(([path, content]) => found(path) !== content).map(([path]) => path)
  return [...differing, ...leftOver(files)].sort()
}

function generate(): void {
  const files = derived()
  for (const path of leftOver(files)) rmSync(join(root, path))
  for (const [path, content] of files) {
    if (found(path) === content) continue
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
    process.stderr.write(`wrote ${path}\n`)
  }
}

function verify(): void {
  const paths = stale()
  if (paths.length === 0) return
  process.stderr.write(`not up to date: run make generate and commit\n  ${paths.join('\n  ')}\n`)
  process.exitCode = 1
}

if (import.meta.main) {
  if (process.argv.includes('--verify')) verify()
  else generate()
}
