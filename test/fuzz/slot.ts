/** Where a thread that fuzzes shows what it is at, so that another can look when it does not come back. */

/** The count of inputs, the length of the current one, and its bytes. */
const headBytes = 8
const slotBytes = headBytes + 1024 * 1024

export interface Task {
  readonly target: string
  readonly seed: number
  readonly seconds: number
  readonly slot: SharedArrayBuffer
}

export interface Told {
  readonly tried: number
  /** How to replay it goes with it. */
  readonly failure?: string
}

export function makeSlot(): SharedArrayBuffer {
  return new SharedArrayBuffer(slotBytes)
}

export function writeSlot(slot: SharedArrayBuffer, input: Uint8Array): void {
  const head = new Int32Array(slot, 0, 2)
  head[1] = input.length
  new Uint8Array(slot, headBytes).set(input.subarray(0, slotBytes - headBytes))
  Atomics.add(head, 0, 1)
}

export function readSlot(slot: SharedArrayBuffer): { readonly count: number; readonly input: Buffer } {
  const head = new Int32Array(slot, 0, 2)
  const count = Atomics.load(head, 0)
  return { count, input: Buffer.from(new Uint8Array(slot, headBytes, head[1] ?? 0)) }
}
