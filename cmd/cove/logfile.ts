/**
 * Where log lines go when standard error is a file: straight into it. Node's own stream of a file ends, and the process
 * with it, at the first write that a full disk refuses; here such lines are lost and counted, and the next that fits says so.
 */

/** Writes some of it, or throws; resolves to how many bytes. */
export type WriteSome = (bytes: Uint8Array) => number

export function fileLines(write: WriteSome): (line: string) => void {
  let lost = 0
  /** A line of which a part was written: what follows must not become part of it. */
  let broken = false
  const writeAll = (text: string) => {
    let rest = Buffer.from(text)
    while (rest.length > 0) {
      const written = write(rest)
      broken = written < rest.length
      rest = rest.subarray(written)
    }
  }
  return (line) => {
    try {
      if (lost > 0) writeAll(`${broken ? '\n' : ''}${lost} log lines were lost: they could not be written\n`)
      lost = 0
      writeAll(line)
    } catch {
      // Nowhere is left to tell of it but here, later.
      lost++
    }
  }
}
