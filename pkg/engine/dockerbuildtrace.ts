/** What BuildKit tells of its work, message by message (moby.buildkit.v1.StatusResponse), as far as it is of use. */
import { bytesOf, manyOf, numberOf, textOf } from './protobuf.ts'

/** A piece of work, told again whenever something of it changed. */
export interface Vertex {
  readonly digest: string
  readonly name: string
  readonly isCached: boolean
  /** ms since the epoch. */
  readonly startedAt?: number
  readonly completedAt?: number
  readonly error: string
}

export interface VertexLog {
  readonly vertex: string
  readonly text: Uint8Array
}

export interface VertexWarning {
  readonly message: string
  readonly line?: number
}

export interface Trace {
  readonly vertexes: readonly Vertex[]
  readonly logs: readonly VertexLog[]
  readonly warnings: readonly VertexWarning[]
}

export function readTrace(message: Uint8Array): Trace {
  return {
    vertexes: manyOf(message, 1).map(readVertex),
    logs: manyOf(message, 3).map((log) => ({ vertex: textOf(log, 1), text: bytesOf(log, 4) })),
    warnings: manyOf(message, 4).map(readWarning),
  }
}

function readVertex(message: Uint8Array): Vertex {
  const startedAt = readTime(bytesOf(message, 5))
  const completedAt = readTime(bytesOf(message, 6))
  return {
    digest: textOf(message, 1),
    name: textOf(message, 3),
    isCached: numberOf(message, 4) === 1,
    error: textOf(message, 7),
    ...(startedAt !== undefined && { startedAt }),
    ...(completedAt !== undefined && { completedAt }),
  }
}

function readWarning(message: Uint8Array): VertexWarning {
  const line = numberOf(bytesOf(bytesOf(message, 7), 1), 1)
  return { message: textOf(message, 3), ...(line > 0 && { line }) }
}

function readTime(message: Uint8Array): number | undefined {
  if (message.length === 0) return undefined
  return numberOf(message, 1) * 1000 + numberOf(message, 2) / 1e6
}
