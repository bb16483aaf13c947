/** What can be asked of a container as it is now, and done to it once: each a part of the node's small API (streams.ts). */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { badRequest, isAbort, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Usage } from '#pkg/apis/looks.ts'
import { nobodysLabel } from '#pkg/apis/wellknown.ts'
import { isTrue, mustRun, type Target } from './target.ts'

const everyMs = 1000
const apiVersion = 'cove.run/v1'

/** `ps`: arguments for the host's ps; `-ef`. */
export async function top(target: Target): Promise<ApiResponse> {
  const { engine, observed, request } = target
  const args = request.query.get('ps') ?? '-ef'
  if (!isPsArguments(args))
    throw badRequest(
      `ps: "${args}": titles of columns cannot be changed or left out: the engine tells by them whose processes are shown`,
    )
  if (observed.state !== 'paused') mustRun(target)
  return answer('ContainerProcesses', await engine.containerProcesses(observed.id, args))
}

/**
 * The engine runs ps over all processes of the host and leaves out the lines that have no process of the container under
 * PID. Whoever could give another column this title, or have the first line of processes taken for the titles, would see
 * the words and variables of processes that belong to others and to the host.
 */
function isPsArguments(args: string): boolean {
  if (args.length > 256 || !/^[A-Za-z0-9,:_%+ -]*$/.test(args)) return false
  // An h by itself or among other letters leaves the titles out, unless it stands in what o, p, t and so on are given.
  return args.split(' ').every((word) => !/^--(no|h)/.test(word) && !/^[^oOkptUq]*h/.test(word))
}

/** Once; with `stream` a line each second until it ends. */
export async function stats(target: Target): Promise<ApiResponse> {
  const { request, observed, usage } = target
  if (observed.state !== 'paused') mustRun(target)
  const first = await usage.usageOf(observed.id, request.signal)
  if (first === undefined) throw badRequest(`container "${target.name}" is not running: it has just ended`)
  if (!isTrue(request.query, 'stream')) return answer('ContainerUsage', first)
  const headers = { 'content-type': 'application/json;stream=watch' }
  return { status: 200, headers, body: lines(first, target) }
}

async function* lines(first: Usage, { request: { signal }, clock, observed, usage }: Target) {
  try {
    for (let next: Usage | undefined = first; next !== undefined; ) {
      yield `${JSON.stringify(next)}\n`
      await sleep(clock, everyMs, signal)
      next = await usage.usageOf(observed.id, signal)
    }
  } catch (error) {
    if (!signal.aborted || !isAbort(error)) throw error
  }
}

export async function changes({ engine, observed, request }: Target): Promise<ApiResponse> {
  return answer('ContainerChanges', { items: await engine.containerChanges(observed.id, request.signal) })
}

/** As published now, of every address family, in order. */
export async function ports({ engine, observed }: Target): Promise<ApiResponse> {
  const listed = (await engine.listContainers()).find(({ id }) => id === observed.id)
  const published = (listed?.ports ?? []).filter(({ hostPort }) => hostPort !== undefined)
  const keyOf = ({ protocol, hostIP = '' }: (typeof published)[number]) =>
    `${protocol} ${hostIP.includes(':') ? 1 : 0} ${hostIP}`
  const items = published.toSorted(
    (a, b) => a.containerPort - b.containerPort || keyOf(a).localeCompare(keyOf(b)),
  )
  return answer('ContainerPorts', { items })
}

/** In the engine's own words. */
export async function inspect({ engine, observed, name }: Target): Promise<ApiResponse> {
  const raw = await engine.rawContainer(observed.id)
  if (raw === undefined) throw badRequest(`container "${name}" has just been removed`)
  return json(raw)
}

export async function exportFiles({ engine, observed, request }: Target): Promise<ApiResponse> {
  const body = await engine.exportContainer(observed.id, request.signal)
  return { status: 200, headers: { 'content-type': 'application/x-tar' }, body }
}

/** `reference`, `author`, `message`, any number of `change`, and `pause`, which is true unless it is said otherwise. */
export async function commit({ engine, observed, request }: Target): Promise<ApiResponse> {
  const { query, signal } = request
  const made = await engine.commitContainer(observed.id, {
    ...text(query, 'reference'),
    ...text(query, 'author'),
    ...text(query, 'message'),
    changes: [nobodysLabel, ...query.getAll('change')],
    pause: !query.has('pause') || isTrue(query, 'pause'),
    signal,
  })
  const skipped = observed.mounts.map(({ target }) => target).toSorted()
  return answer('ContainerCommit', { ...made, skipped })
}

/** `signal`: its name, with SIG or without, or its number; KILL. */
export async function kill(target: Target): Promise<ApiResponse> {
  const { engine, observed, request, name } = target
  const signal = request.query.get('signal') ?? 'KILL'
  if (!/^[A-Za-z0-9+-]{1,20}$/.test(signal)) throw badRequest(`signal: "${signal}" is no signal`)
  if (observed.state !== 'paused') mustRun(target)
  await engine.signalContainer(observed.id, signal).catch((error: unknown) => {
    throw error instanceof StatusError && error.reason === 'InvalidSpec'
      ? badRequest(`container "${name}": ${error.message}`)
      : error
  })
  return answer('ContainerSignal', { signal })
}

function text<K extends string>(query: URLSearchParams, name: K): { readonly [key in K]?: string } {
  const value = query.get(name)
  const found: { [key in K]?: string } = {}
  if (value !== null && value !== '') found[name] = value
  return found
}

function answer(kind: string, value: object): ApiResponse {
  return json({ kind, apiVersion, ...value })
}

function json(value: unknown): ApiResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}
