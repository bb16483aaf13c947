/** The parts of the package, which says nothing of its types. */
declare module 'unbzip2-stream/lib/bit_iterator.js' {
  /** Reads bits of buffers that `next` gives; null: on to the next whole byte. */
  export default function bitIterator(next: () => Uint8Array): {
    (count: number | null): number
    readonly bytesRead: number
  }
}

declare module 'unbzip2-stream/lib/bzip2.js' {
  type Bits = (count: number | null) => number
  const bzip2: {
    /** The level of packing, 1 to 9. */
    header(bits: Bits): number
    /** One block; null: that was the end of a stream. */
    decompress(
      bits: Bits,
      push: (byte: number) => void,
      buffer: Int32Array,
      size: number,
      checksum: number | null,
    ): number | null
  }
  export default bzip2
}
