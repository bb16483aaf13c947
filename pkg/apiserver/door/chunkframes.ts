/**
 * Frames of HTTP/1.1's chunked coding (RFC 9112, 7.1): the size in hexadecimal, the chunk, a line's end after either.
 * A change goes to all who watch it, one after the other, so the last frame is kept: it is made once for all of them.
 */
export class ChunkFrames {
  #chunk: string | Uint8Array = ''
  #frame: Uint8Array = Buffer.alloc(0)

  /** Of a chunk that is not empty, and that nobody changes. */
  of(chunk: string | Uint8Array): Uint8Array {
    if (chunk === this.#chunk) return this.#frame
    this.#chunk = chunk
    this.#frame = frameOf(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    return this.#frame
  }
}

function frameOf(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, lineEnd])
}

const lineEnd = Buffer.from('\r\n')
