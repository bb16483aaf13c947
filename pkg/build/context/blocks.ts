/** Streams in few and large portions: each write to a disk or a socket has its price, however little it is of. */

const blockBytes = 1024 ** 2

/** The same bytes; every block but the last has at least 1 MiB. */
export async function* inBlocks(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let size = 0
  for await (const chunk of input) {
    waiting.push(chunk)
    size += chunk.length
    if (size < blockBytes) continue
    yield Buffer.concat(waiting, size)
    waiting = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(waiting, size)
}
