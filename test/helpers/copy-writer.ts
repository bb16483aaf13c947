/** A process that does nothing but write the node's copy in the directory it is given, to be killed in the middle of it. */
import { diskCopy } from '#pkg/agent/nodecopyfile.ts'

const [directory = ''] = process.argv.slice(2)
const store = diskCopy(directory)
for (let turn = 0; ; turn++) {
  await store.save(`${turn} `.repeat(200_000))
  process.stdout.write(`${turn}\n`)
}
