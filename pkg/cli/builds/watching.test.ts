/** Building again when files change, with the kernel's own notices; what is built is another matter. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { buildAndWatch } from './watching.ts'

interface Watching {
  readonly root: string
  /** Waits until that was said, for the first time or again. */
  says(text: string): Promise<void>
  readonly builds: () => number
  /** Ctrl-C; resolves with the exit code. */
  end(): Promise<number>
}

/** `build`: by its number, from 1. */
async function watching(t: ExecutionContext, build: (number: number) => Promise<number>): Promise<Watching> {
  const cwd = await makeTempDir(t, 'watching')
  const root = join(cwd, 'ctx')
  await mkdir(root)
  await writeFile(join(root, 'Dockerfile'), 'FROM scratch\n')
  const spec = { context: { path: 'ctx' } }
  const manifest = { apiVersion: 'cove.run/v1', kind: 'Build', metadata: { name: 'web' }, spec }
  let said = ''
  let heard = 0
  let builds = 0
  const write = async (text: string | Uint8Array) => {
    said += text
  }
  const interrupt = new AbortController()
  const stderr = { write, isTTY: false, columns: 80 }
  const io = { clock: systemClock(), cwd, signal: interrupt.signal, stderr }
  const asked = { kind: 'set', sources: [{ name: '-', text: JSON.stringify(manifest) }] } as const
  const code = buildAndWatch(asked, { io, session: async () => undefined }, () => build(++builds))
  const says = async (text: string) =>
    await eventually(() => {
      const at = said.indexOf(text, heard)
      if (at < 0) throw new Error(`it says ${said.slice(heard)}`)
      heard = at + text.length
    })
  const end = async () => {
    interrupt.abort(new DOMException('SIGINT', 'AbortError'))
    return await code
  }
  return { root, says, builds: () => builds, end }
}

test('each change is a build, and so is what mends one that has failed', async (t) => {
  const { root, says, builds, end } = await watching(t, async (number) => {
    if (number === 2) throw new StatusError('BadRequest', 'no such instruction')
    return 0
  })
  await says('Waiting for changes')
  await writeFile(join(root, 'a'), 'one')
  await says('a changed\n')
  await says('no such instruction')
  await says('Waiting for changes')
  await writeFile(join(root, 'Dockerfile'), 'FROM other\n')
  await says('Dockerfile changed\n')
  await says('Waiting for changes')
  t.is(builds(), 3)
  t.is(await end(), 0)
})

test('what is wrong with the watch is a warning, and no change', async (t) => {
  const { root, says, end } = await watching(t, async () => 0)
  await says('Waiting for changes')
  await writeFile(join(root, '.dockerignore'), '[')
  await says('is not watched as it should be: syntax error in the pattern')
  await says('Waiting for changes')
  await writeFile(join(root, '.dockerignore'), '*.log\n')
  await says('.dockerignore changed\n')
  t.is(await end(), 0)
})
