/** `cove convert`: a Compose file as manifests, and what of it has no counterpart. Asks no server. */
import { basename, dirname, join, resolve } from 'node:path'
import { neededFiles } from '../compose/environment.ts'
import { interpolate, parseEnvFile, type Variables } from '../compose/interpolate.ts'
import { convert } from '../compose/project.ts'
import type { Fields, Note } from '../compose/reading.ts'
import { CliError, exitCodes, locally, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import type { Context } from '../session.ts'

/** In the order in which Compose looks for them. */
const usualNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']
const notCarriedOver = 1

export async function run({ io, args }: Context): Promise<number> {
  const [extra] = args.positionals
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`, 'convert')
  const { path, text, directory } = await findFile(io, args.list('filename'))
  const { parseYaml, writeYaml } = await import('#pkg/manifest/yaml.ts')
  const parsed = await locally(() => parseYaml(text))
  const variables = await variablesOf(io, directory)
  const { value: compose, missing } = interpolate(parsed, variables)
  const around = { compose, directory, home: io.home }
  const files = new Map<string, string | undefined>()
  for (const file of neededFiles(around)) files.set(file, await io.readFile(file))
  const { manifests, notes } = convert({
    ...around,
    name: args.text('project') ?? basename(directory),
    profiles: new Set(args.list('profile')),
    variables,
    files,
  })
  await io.stdout.write(
    manifests.map((manifest) => writeYaml(inNamespace(manifest, args.text('namespace')))).join('---\n'),
  )
  const unset = [...missing].map((name) => ({
    where: `\${${name}}`,
    text: 'has no value here, and is taken as empty',
  }))
  await report(io, path, [...unset, ...notes])
  return args.bool('strict') && unset.length + notes.length > 0 ? notCarriedOver : exitCodes.ok
}

function inNamespace(manifest: Fields, namespace: string | undefined): Fields {
  if (namespace === undefined) return manifest
  const { metadata } = manifest
  return { ...manifest, metadata: { ...Object(metadata), namespace } }
}

async function findFile(io: Io, named: readonly string[]) {
  if (named.length > 1)
    throw new UsageError(
      'several files are not merged here: convert what `docker compose -f A -f B config` prints, with -f -',
      'convert',
    )
  const [only] = named
  if (only === '-') return { path: '-', text: await io.readStdin(), directory: io.cwd }
  for (const name of only === undefined ? usualNames : [only]) {
    const path = resolve(io.cwd, name)
    const text = await io.readFile(path)
    if (text !== undefined) return { path: name, text, directory: dirname(path) }
  }
  throw new CliError(
    only === undefined
      ? `no Compose file here: none of ${usualNames.join(', ')}`
      : `there is no file ${only}`,
  )
}

/** The environment goes before the file `.env` beside the Compose file. */
async function variablesOf(io: Io, directory: string): Promise<Variables> {
  const environment: Variables = (name) => io.env[name]
  const beside = parseEnvFile((await io.readFile(join(directory, '.env'))) ?? '', environment)
  return (name) => environment(name) ?? beside.get(name)
}

async function report(io: Io, path: string, notes: readonly Note[]): Promise<void> {
  if (notes.length === 0) return
  const lines = notes.map(({ where, text }) => `${path}: ${where === '' ? '' : `${where}: `}${text}\n`)
  await io.stderr.write([...new Set(lines)].join(''))
}
