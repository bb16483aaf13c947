/** The package says nothing of its types. */
declare module 'unbzip2-stream' {
  /** Takes what bzip2 has packed, gives what it was. */
  import type { Duplex } from 'node:stream'
  export default function unbzip2(): Duplex
}
