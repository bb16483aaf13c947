/** Just enough of the ustar format to hand a few files to an engine's build endpoint. */

export interface TarFile {
  /** Up to 100 bytes. */
  readonly name: string
  readonly mode: number
  readonly data: Uint8Array
}

const blockSize = 512

export function tar(files: readonly TarFile[]): Uint8Array {
  const blocks = files.flatMap((file) => [makeHeader(file), file.data, padding(file.data.length)])
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockSize)])
}

function makeHeader(file: TarFile): Uint8Array {
  const header = Buffer.alloc(blockSize)
  header.write(file.name, 0, 100)
  header.write(octal(file.mode, 7), 100)
  header.write(octal(0, 7), 108)
  header.write(octal(0, 7), 116)
  header.write(octal(file.data.length, 11), 124)
  header.write(octal(0, 11), 136)
  // The checksum is taken with its own field full of spaces.
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 6)}\0 `, 148)
  return header
}

function padding(length: number): Uint8Array {
  return Buffer.alloc((blockSize - (length % blockSize)) % blockSize)
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}
