/** What a test or simulation does to a simulated engine's calls: scripted failures, outages, and the journal of them. */
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Engine } from './port.ts'

export type EngineMethod = keyof Engine

export interface SimFault {
  readonly method: EngineMethod
  /** Which of the calls from now on, counted from 1; 1. */
  readonly call?: number
  /** How many calls in a row fail; 1. */
  readonly times?: number
  readonly reason: Reason
  readonly message?: string
  /** True: the call does its work, only its answer is lost. */
  readonly afterEffect?: boolean
}

export interface SimCall {
  readonly method: EngineMethod
  readonly args: readonly unknown[]
  /** Clock time, ms. */
  readonly at: number
  /** How it failed; absent while under way and when it did not. */
  error?: unknown
}

/** Calls that look and do not touch: they are not in the journal. */
const looks: readonly EngineMethod[] = [
  'info',
  'listContainers',
  'inspectContainer',
  'containerLogs',
  'execContainer',
  'attachContainer',
  'readArchive',
  'containerProcesses',
  'containerUsage',
  'containerChanges',
  'exportContainer',
  'rawContainer',
  'listImages',
  'inspectImage',
  'listAllImages',
  'imageDetails',
  'rawImage',
  'imageHistory',
  'saveImages',
  'diskUsage',
  'listNetworks',
  'listVolumes',
  'events',
  'close',
]

export function isMutating(method: EngineMethod): boolean {
  return !looks.includes(method)
}

export class SimFaults {
  #pending: { fault: SimFault; skip: number; left: number }[] = []

  add(fault: SimFault): void {
    this.#pending.push({ fault, skip: (fault.call ?? 1) - 1, left: fault.times ?? 1 })
  }

  clear(): void {
    this.#pending = []
  }

  /** The fault that strikes this call of the method, counted by this look. */
  take(method: EngineMethod): SimFault | undefined {
    let struck: SimFault | undefined
    for (const entry of this.#pending) {
      if (entry.fault.method !== method) continue
      if (entry.skip > 0) entry.skip -= 1
      else if (struck === undefined) {
        entry.left -= 1
        struck = entry.fault
      }
    }
    this.#pending = this.#pending.filter((entry) => entry.left > 0)
    return struck
  }
}

export function faultError(fault: SimFault): StatusError {
  return new StatusError(fault.reason, fault.message ?? `scripted failure of ${fault.method}`)
}
