/** What somebody else sends, of which nobody knows before what it is: its first bytes tell. */
import { longestText } from '#pkg/build/context/normalise.ts'

export interface Opening {
  /** As much as it takes to tell what it is; less where there is no more. */
  readonly first: Buffer
  /** All behind it. */
  readonly rest: AsyncIterable<Uint8Array>
}

const tarBlock = 512

export async function openingOf(stream: AsyncIterable<Uint8Array>): Promise<Opening> {
  const input = stream[Symbol.asyncIterator]()
  const start: Uint8Array[] = []
  let length = 0
  while (length < tarBlock) {
    const next = await input.next()
    if (next.done === true) break
    start.push(next.value)
    length += next.value.length
  }
  return { first: Buffer.concat(start), rest: { [Symbol.asyncIterator]: () => input } }
}

/** As long as a Dockerfile may be; undefined for more: what is none may have no end. */
export async function wholeOf({ first, rest }: Opening): Promise<Buffer | undefined> {
  const chunks = [first]
  let bytes = first.length
  for await (const chunk of rest) {
    chunks.push(Buffer.from(chunk))
    bytes += chunk.length
    if (bytes > longestText) return undefined
  }
  return Buffer.concat(chunks)
}
