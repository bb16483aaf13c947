/** The executable: a kubectl-like CLI, and the daemons, each loaded only when it is asked for. */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { versionText } from './embedded.ts'
import { type DaemonName, daemons } from './flags.ts'
import { loadDaemons } from './load.ts'

async function main(words: readonly string[]): Promise<number> {
  const [name, ...rest] = words
  if (name !== undefined && isDaemon(name)) {
    const { runDaemon } = await loadDaemons()
    return await runDaemon(name, rest)
  }
  const [{ runCli }, { processIo }] = await Promise.all([import('#pkg/cli/cli.ts'), import('./io.ts')])
  const others = Object.entries(daemons).map(([each, summary]) => ({ name: each, summary }))
  return await runCli(words, processIo(versionText()), { others })
}

function isDaemon(name: string): name is DaemonName {
  return Object.hasOwn(daemons, name)
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`error: ${messageOf(error)}\n`)
    process.exit(1)
  },
)
