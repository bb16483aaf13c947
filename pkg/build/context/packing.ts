/** What an archive is packed with, told by its first bytes as `docker build -` tells it. Pure. */

const magics = {
  gzip: [0x1f, 0x8b],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
  bzip2: [0x42, 0x5a, 0x68],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
} as const

export type Packing = keyof typeof magics

/** So many bytes tell. */
export const longestMagic = 6

/** `start`: the first bytes of it. Undefined: it is not packed, or in a way that nobody here unpacks. */
export function packingOf(start: Uint8Array): Packing | undefined {
  const begins = (magic: readonly number[]) => magic.every((byte, index) => start[index] === byte)
  return packings.find((packing) => begins(magics[packing]))
}

const packings: readonly Packing[] = ['gzip', 'zstd', 'bzip2', 'xz']
