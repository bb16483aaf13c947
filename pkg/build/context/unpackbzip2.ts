/**
 * What bzip2 has packed, block by block: however tightly it is packed, no more than one block is held. The streams of the
 * package give all that they have at once, which of a small file may be many gigabytes.
 */
import bitIterator from 'unbzip2-stream/lib/bit_iterator.js'
import bzip2 from 'unbzip2-stream/lib/bzip2.js'

/** Of one level of packing; there are nine. */
const blockUnit = 100_000
/** What a block may take besides its content, packed. */
const blockSlack = 25_000
const firstRoom = 1024 ** 2

/** Throws an Error while it is read when what came is broken. */
export async function* unpackBzip2(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = new BlockReader()
  for await (const chunk of input) {
    reader.add(chunk)
    while (reader.hasBlock()) yield reader.next()
  }
  while (reader.hasMore()) yield reader.next()
  reader.mustBeAtEnd()
}

class BlockReader {
  readonly #waiting: Uint8Array[] = []
  #bits: ReturnType<typeof bitIterator> | undefined
  #bytes = 0
  /** 0 before the header of a stream, and after its end. */
  #level = 0
  #checksum: number | null = null

  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    this.#waiting.push(chunk)
    this.#bytes += chunk.length
    this.#bits ??= bitIterator(() => {
      const next = this.#waiting.shift()
      if (next === undefined) throw new Error('it breaks off')
      return next
    })
  }

  /** Whether the next block is here for certain. */
  hasBlock(): boolean {
    return this.#left() >= blockSlack + blockUnit * this.#level
  }

  hasMore(): boolean {
    return this.#left() > 0
  }

  mustBeAtEnd(): void {
    if (this.#level !== 0) throw new Error('it breaks off')
  }

  /** The next block; empty for what is none. */
  next(): Uint8Array {
    const bits = this.#bits
    if (bits === undefined) return new Uint8Array()
    if (this.#level === 0) {
      this.#level = bzip2.header(bits)
      this.#checksum = 0
      return new Uint8Array()
    }
    const size = blockUnit * this.#level
    const block = new Block()
    this.#checksum = bzip2.decompress(
      bits,
      (byte) => block.push(byte),
      new Int32Array(size),
      size,
      this.#checksum,
    )
    if (this.#checksum === null) this.#level = 0
    return block.bytes()
  }

  #left(): number {
    return this.#bytes - (this.#bits?.bytesRead ?? 0)
  }
}

class Block {
  #bytes = Buffer.allocUnsafe(firstRoom)
  #length = 0

  push(byte: number): void {
    if (this.#length === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], 2 * this.#length)
    this.#bytes[this.#length++] = byte
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}
