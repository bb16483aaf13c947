/** The package says nothing of its types. */
declare module 'unbzip2-stream' {
  /** Takes what bzip2 has packed, gives what it was. */
  export default function unbzip2(): NodeJS.ReadWriteStream
}
