/** Docker's part of what looks.ts promises. What is read of the answers stands in dockerlooksview.ts. */
import { isReason, type Reason } from '#pkg/apimachinery/errors.ts'
import type { Call, DockerConnection } from './dockerconnection.ts'
import * as view from './dockerlooksview.ts'
import { commitQuery } from './dockerspec.ts'
import { array, object, text } from './json.ts'
import type {
  CommitOptions,
  EngineLooks,
  FileChange,
  ListedContainer,
  ProcessTable,
  UsageSample,
} from './looks.ts'

export class DockerLooks implements EngineLooks {
  readonly #connection: DockerConnection

  constructor(connection: DockerConnection) {
    this.#connection = connection
  }

  async listContainers(): Promise<ListedContainer[]> {
    const answer = await this.#connection.json({
      method: 'GET',
      path: '/containers/json',
      query: { all: true },
    })
    return array(answer).map(view.readListed)
  }

  async signalContainer(container: string, signal: string): Promise<void> {
    await this.#connection.json({
      method: 'POST',
      path: `${containerPath(container)}/kill`,
      query: { signal },
    })
  }

  async containerProcesses(container: string, args: string): Promise<ProcessTable> {
    const query = { ps_args: args }
    const call: Call = { method: 'GET', path: `${containerPath(container)}/top`, query }
    return view.readProcesses(await this.#connection.json(call))
  }

  async containerUsage(container: string): Promise<UsageSample | undefined> {
    // One look alone: engines that know no `one-shot` take a second for two, and answer the same.
    const query = { stream: false, 'one-shot': true }
    const call: Call = { method: 'GET', path: `${containerPath(container)}/stats`, query }
    return view.readSample(await this.#connection.json(call))
  }

  async containerChanges(container: string, signal: AbortSignal): Promise<readonly FileChange[]> {
    const path = `${containerPath(container)}/changes`
    return view.readChanges(await this.#connection.patientJson({ method: 'GET', path }, signal))
  }

  readArchive(container: string, path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const call: Call = { method: 'GET', path: `${containerPath(container)}/archive`, query: { path } }
    return this.#connection.stream(call, signal)
  }

  async writeArchive(
    container: string,
    path: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const query = { path, noOverwriteDirNonDir: true }
    const call: Call = {
      method: 'PUT',
      path: `${containerPath(container)}/archive`,
      query,
      upload: archive,
    }
    for await (const piece of await this.#connection.stream(call, signal)) void piece
  }

  exportContainer(container: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    return this.#connection.stream({ method: 'GET', path: `${containerPath(container)}/export` }, signal)
  }

  async commitContainer(container: string, options: CommitOptions): Promise<{ image: string }> {
    const query = commitQuery(container, options)
    const call: Call = { method: 'POST', path: '/commit', query, body: {} }
    return { image: text(object(await this.#connection.patientJson(call, options.signal))['Id']) }
  }

  rawContainer(id: string): Promise<unknown> {
    return found(this.#connection, { method: 'GET', path: `${containerPath(id)}/json` })
  }
}

/** What is answered to a call; undefined when it fails with `absence`. */
export async function found(
  connection: DockerConnection,
  call: Call,
  absence: Reason = 'NotFound',
): Promise<unknown> {
  try {
    return await connection.json(call)
  } catch (error) {
    if (isReason(error, absence)) return undefined
    throw error
  }
}

export function containerPath(container: string): string {
  return `/containers/${encodeURIComponent(container)}`
}
