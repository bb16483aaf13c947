/**
 * The storage thread: takes every message that has queued, has logserver.ts write them as one commit, and answers
 * them with one message. Options come by workerData, so that it can be bundled into one file and started from a
 * string. Housekeeping happens when no message waits.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type Clock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { type Batch, failureOf } from './logprotocol.ts'
import { LogServer, statusOf } from './logserver.ts'
import type { FromWorker, ToWorker, WorkerData } from './sqlite.ts'
import { SqliteLog } from './sqlitelog.ts'

/** How long nobody must have asked anything before the thread tidies up, and between two pieces of that. */
const idleMs = 10
const pieceMs = 1
/** After a failure of housekeeping: a full disk does not empty itself at once. */
const troubleMs = 5_000

class StorageThread {
  readonly #port: MessagePort
  readonly #server: LogServer
  readonly #clock: Clock
  #cancelTidying: () => void = () => {}

  constructor(port: MessagePort, server: LogServer, clock: Clock) {
    this.#port = port
    this.#server = server
    this.#clock = clock
  }

  start(): void {
    this.#port.on('message', (first: ToWorker) => this.#serve(first))
    this.#tidyIn(idleMs)
  }

  #serve(first: ToWorker): void {
    this.#cancelTidying()
    let wait = idleMs
    for (let batches = [first, ...this.#queued()]; batches.length > 0; batches = this.#queued()) {
      this.#post({ type: 'reply', reply: this.#server.handle(batches) })
      // After the answer: writers prepare their next batch meanwhile.
      if (!this.#tidied(() => this.#server.tidyBusy())) wait = troubleMs
    }
    if (this.#server.closed) this.#port.close()
    else this.#tidyIn(wait)
  }

  /** Everything that has arrived meanwhile: this is what makes a group of a commit. */
  #queued(): Batch[] {
    const batches: Batch[] = []
    for (let next = this.#receive(); next !== undefined; next = this.#receive()) batches.push(next)
    return batches
  }

  #receive(): ToWorker | undefined {
    return receiveMessageOnPort(this.#port)?.message
  }

  #tidyIn(ms: number): void {
    this.#cancelTidying = this.#clock.after(ms, () => {
      let more = false
      const fine = this.#tidied(() => {
        more = this.#server.tidyIdle()
      })
      if (!fine) this.#tidyIn(troubleMs)
      else if (more) this.#tidyIn(pieceMs)
    })
  }

  /** False when it failed, which the owner is told; what was asked for is not affected. */
  #tidied(work: () => void): boolean {
    try {
      work()
      return true
    } catch (error) {
      this.#post({ type: 'trouble', failure: failureOf(statusOf(error)) })
      return false
    }
  }

  #post(message: FromWorker): void {
    this.#port.postMessage(message)
  }
}

/** Only our own main thread starts this one: its options are what its type says. */
function run(port: MessagePort, data: WorkerData): void {
  const post = (message: FromWorker) => port.postMessage(message)
  try {
    const log = SqliteLog.open(
      data.maxBytes === undefined ? { path: data.path } : { path: data.path, maxBytes: data.maxBytes },
    )
    const server = new LogServer(log, { keepRevisions: data.keepRevisions })
    new StorageThread(port, server, systemClock()).start()
    post({ type: 'opened' })
  } catch (error) {
    post({ type: 'unusable', failure: failureOf(statusOf(error)) })
    port.close()
  }
}

if (parentPort !== null) run(parentPort, workerData)
