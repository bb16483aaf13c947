/**
 * The Container that a command line of `cove run` means, and the Volumes that it names. Pure: the words say everything,
 * and what they say of Docker that Cove does not have is refused with what to do instead.
 */
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { whyNoLabelValue, whyNoQualifiedName } from '#pkg/manifest/qualifiednames.ts'
import type { Args } from '../args.ts'
import { UsageError } from '../errors.ts'
import { type Mount, mountsOf } from './mounts.ts'
import { networkFields } from './network.ts'
import { publishedPorts } from './ports.ts'
import { healthFields, limitFields, securityFields } from './rights.ts'
import { pair, pairs, present, wholeNumber, wrong } from './words.ts'

export interface RunInput {
  readonly args: Args
  readonly name: string
  /** Variables here, for `-e NAME`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What relative paths are relative to. */
  readonly directory: string
  /** Of each `--env-file`. */
  readonly envFiles: readonly string[]
}

type Manifest = Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

export interface RunManifests {
  readonly container: Manifest & { readonly spec: Readonly<Record<string, unknown>> }
  /** Made when they do not exist. */
  readonly volumes: readonly Manifest[]
}

export function runManifests(input: RunInput): RunManifests {
  const { args, name, directory } = input
  const [image, ...words] = args.positionals
  if (image === undefined) throw new UsageError('name an image', 'run')
  checkWords(words)
  const mounts = mountsOf({
    volumes: args.list('volume'),
    mounts: args.list('mount'),
    tmpfs: args.list('tmpfs'),
    directory,
  })
  const { selectable, others } = labelsOf(args)
  const spec = present({
    image,
    imagePullPolicy: ownValue(pullPolicies, args.text('pull') ?? ''),
    ...commandFields(args.text('entrypoint'), words),
    env: variables(input),
    workingDir: args.text('workdir'),
    user: args.text('user'),
    hostname: args.text('hostname'),
    stdin: args.bool('interactive'),
    stdinOnce: args.bool('interactive') && !args.bool('detach'),
    tty: args.bool('tty'),
    init: args.bool('init'),
    ports: publishedPorts(args.list('publish')),
    publishAll: args.bool('publish-all'),
    mounts,
    ...networkFields(args),
    ...healthFields(args),
    ...limitFields(args),
    ...securityFields(args),
    logging: present({
      driver: args.text('log-driver'),
      options: pairs('log-opt', args.list('log-opt')),
    }),
    ...lifeFields(args),
    labels: others,
    nodeName: args.text('node'),
  })
  const metadata = present({
    labels: selectable,
    annotations: pairs('annotation', args.list('annotation')),
  })
  return {
    container: { ...object('Container', name, args, metadata), spec },
    volumes: volumeNames(mounts).map((volume) => ({ ...object('Volume', volume, args), spec: {} })),
  }
}

function object(kind: string, name: string, args: Args, more: Readonly<Record<string, unknown>> = {}) {
  const namespace = args.text('namespace')
  return {
    apiVersion: 'cove.run/v1',
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }), ...more },
  }
}

/** Labels in Kubernetes' form are the object's, and the engine's with it; any other text is for the engine only. */
function labelsOf(args: Args) {
  const all = Object.entries(pairs('label', args.list('label')))
  const isSelectable = ([key, value]: readonly [string, string]) =>
    whyNoQualifiedName(key).length === 0 && whyNoLabelValue(value).length === 0
  return {
    selectable: Object.fromEntries(all.filter(isSelectable)),
    others: Object.fromEntries(all.filter((label) => !isSelectable(label))),
  }
}

/** kubectl's `run NAME --image=IMAGE` would run a program of that name. */
function checkWords([first]: readonly string[]): void {
  if (first?.startsWith('--image') === true)
    throw new UsageError(
      'flags stand before the image, as of docker run: cove run --name NAME IMAGE [COMMAND...]',
      'run',
    )
}

const pullPolicies: Readonly<Record<string, string>> = {
  always: 'Always',
  missing: 'IfNotPresent',
  never: 'Never',
}

/** An entry point without a word takes the image's away: then the command says all. */
function commandFields(entrypoint: string | undefined, words: readonly string[]) {
  if (entrypoint === undefined) return { args: words }
  if (entrypoint !== '') return { command: [entrypoint], args: words }
  if (words.length === 0) throw new UsageError('--entrypoint "" needs a command after the image', 'run')
  return { command: words }
}

function variables({ args, env, envFiles }: RunInput): readonly Record<string, string>[] {
  const lines = [...envFiles.flatMap(linesOf), ...args.list('env')]
  const found = new Map<string, string>()
  for (const line of lines) {
    const [name, given] = pair(line)
    if (name === '') throw wrong('env', line, 'NAME or NAME=VALUE is expected')
    const value = given ?? env[name]
    // As Docker: a variable that is not set here is not set there.
    if (value !== undefined) found.set(name, value)
  }
  return [...found].map(([name, value]) => ({ name, value }))
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'))
}

const restartPolicies: Readonly<Record<string, string>> = {
  no: 'Never',
  always: 'Always',
  // Cove keeps what was stopped with `cove stop` stopped, whatever the policy.
  'unless-stopped': 'Always',
  'on-failure': 'OnFailure',
}

function lifeFields(args: Args): Record<string, unknown> {
  const restart = args.text('restart') ?? 'no'
  const policy = ownValue(restartPolicies, restart)
  if (/^on-failure:\d+$/.test(restart))
    throw wrong(
      'restart',
      restart,
      'Cove does not count: on-failure restarts with growing pauses, up to 5 minutes',
    )
  if (policy === undefined)
    throw wrong('restart', restart, `one of ${Object.keys(restartPolicies).join(', ')} is expected`)
  if (args.bool('rm') && policy !== 'Never')
    throw new UsageError('conflicting options: --restart and --rm', 'run')
  const grace = args.text('stop-timeout')
  const seconds = grace === undefined ? undefined : wholeNumber('stop-timeout', grace)
  if (seconds !== undefined && seconds < 0)
    throw wrong('stop-timeout', String(seconds), 'seconds are expected; Cove does not wait for ever')
  return {
    restartPolicy: policy,
    stopSignal: args.text('stop-signal'),
    terminationGracePeriodSeconds: seconds,
    ttlSecondsAfterFinished: args.bool('rm') ? 0 : undefined,
  }
}

function volumeNames(mounts: readonly Mount[]): string[] {
  return [...new Set(mounts.flatMap(({ volume }) => volume ?? []))]
}
