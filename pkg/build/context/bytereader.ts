/** A stream of bytes, taken in the portions that are wanted. */
import { badRequest } from '#pkg/apimachinery/errors.ts'

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)
  #read = 0

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#chunks = input[Symbol.asyncIterator]()
  }

  /** Whether nothing has come so far. */
  get isEmpty(): boolean {
    return this.#read === 0
  }

  /** Undefined at the end of the stream. Throws BadRequest when it ends within. */
  async block(bytes: number): Promise<Buffer | undefined> {
    if (this.#rest.length >= bytes) return this.#take(bytes)
    if (!(await this.#more())) return undefined
    const parts: Uint8Array[] = []
    for (let missing = bytes; missing > 0; ) {
      const part = await this.some(missing)
      parts.push(part)
      missing -= part.length
    }
    return Buffer.concat(parts, bytes)
  }

  /** What there is, at most so much, at least one byte. */
  async some(bytes: number): Promise<Uint8Array> {
    if (!(await this.#more())) throw badRequest('the archive ends within a file: a part of it is missing')
    return this.#take(Math.min(bytes, this.#rest.length))
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) left -= (await this.some(left)).length
  }

  async skipAll(): Promise<void> {
    while (await this.#more()) this.#rest = new Uint8Array(0)
  }

  /** Lets go of the stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #take(bytes: number): Buffer {
    const { buffer, byteOffset } = this.#rest
    const taken = Buffer.from(buffer, byteOffset, bytes)
    this.#rest = this.#rest.subarray(bytes)
    return taken
  }

  /** Whether there is anything left. */
  async #more(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next()
      if (next.done === true) return false
      this.#rest = next.value
      this.#read += next.value.length
    }
    return true
  }
}
