/** With the kernel's own notices; only the time of settling is turned by hand. */
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { makeIgnore } from './ignore.ts'
import { parseIgnore } from './ignorefile.ts'
import { watchContext } from './watch.ts'

async function make(
  t: ExecutionContext,
  { asLink = false, mayFail = false, beforeIgnore = async () => {} } = {},
) {
  const folder = await makeTempDir(t, 'watch')
  const root = asLink ? `${folder}.link` : folder
  if (asLink) {
    await symlink(folder, root)
    t.teardown(() => rm(root))
  }
  const outside = join(await makeTempDir(t, 'outside'), 'Dockerfile')
  await writeFile(join(root, '.dockerignore'), '*.log\n')
  await mkdir(join(root, 'sub'))
  await writeFile(join(root, 'sub/a'), 'one')
  await writeFile(outside, 'FROM scratch')
  const clock = new ManualClock()
  const told: string[] = []
  const errors: string[] = []
  const aborter = new AbortController()
  t.teardown(() => aborter.abort())
  const ready = watchContext({
    root,
    besides: [outside],
    readIgnore: async () => {
      await beforeIgnore()
      return makeIgnore(parseIgnore(await readFile(join(root, '.dockerignore'), 'utf8')))
    },
    clock,
    signal: aborter.signal,
    onChange: (path) => told.push(path),
    onError: (error) => {
      errors.push(String(error))
      if (!mayFail) t.fail(String(error))
    },
  })
  await ready
  /** Time goes on until something is told. */
  const next = async () => {
    const before = told.length
    await eventually(async () => {
      await clock.advance(300)
      if (told.length === before) throw new Error('nothing is told')
    })
    return told.slice(before)
  }
  return { root, outside, clock, told, errors, aborter, next }
}

test('changed, new and removed files are told once they settle, with the first of them', async (t) => {
  const { root, next, told } = await make(t)
  await writeFile(join(root, 'sub/a'), 'two')
  t.deepEqual(await next(), ['sub/a'])
  await mkdir(join(root, 'new'))
  await writeFile(join(root, 'new/b'), '')
  const [first = ''] = await next()
  t.regex(first, /^new(\/b)?$/)
  await rm(join(root, 'new'), { recursive: true })
  t.regex((await next())[0] ?? '', /^new(\/b)?$/)
  t.true(told.length >= 3)
})

test('what is ignored is not told, until it is no more', async (t) => {
  const { root, next } = await make(t)
  await writeFile(join(root, 'x.log'), '')
  await writeFile(join(root, 'sub/a'), 'two')
  t.deepEqual(await next(), ['sub/a'])
  await writeFile(join(root, '.dockerignore'), '')
  t.deepEqual(await next(), ['.dockerignore'])
  await eventually(async () => {
    await writeFile(join(root, 'x.log'), String(Math.random()))
    if (!(await next()).includes('x.log')) throw new Error('it is not listened to yet')
  })
})

test('what changes while it begins to listen to other files is told, too', async (t) => {
  const reading = Promise.withResolvers<void>()
  const ignoreRead = Promise.withResolvers<void>()
  let isHeld = false
  const beforeIgnore = async () => {
    if (!isHeld) return
    reading.resolve()
    await ignoreRead.promise
  }
  const { root, next } = await make(t, { beforeIgnore })
  isHeld = true
  await writeFile(join(root, '.dockerignore'), '')
  t.deepEqual(await next(), ['.dockerignore'])
  await reading.promise
  await writeFile(join(root, 'sub/a'), 'two')
  ignoreRead.resolve()
  t.deepEqual(await next(), ['.dockerignore'])
})

test('a .dockerignore with a mistake is told, and the files are watched on', async (t) => {
  const { root, next, errors } = await make(t, { mayFail: true })
  await writeFile(join(root, '.dockerignore'), '*.log\n[')
  t.deepEqual(await next(), ['.dockerignore'])
  await eventually(() => {
    if (errors.length === 0) throw new Error('no error is told')
  })
  t.regex(errors.join(), /syntax error in the pattern "\["/)
  await eventually(async () => {
    await writeFile(join(root, 'x.log'), String(Math.random()))
    await writeFile(join(root, 'sub/a'), String(Math.random()))
    if (!(await next()).includes('sub/a')) throw new Error('it is not listened to yet')
  })
  t.is(errors.length, 1)
})

test('a folder behind a link is watched, and so is where the link leads', async (t) => {
  const other = await makeTempDir(t, 'other')
  const { root, next } = await make(t, { asLink: true })
  await writeFile(join(root, 'sub/a'), 'two')
  t.deepEqual(await next(), ['sub/a'])
  await writeFile(join(root, 'x.log'), '')
  await writeFile(join(root, 'sub/a'), 'three')
  t.deepEqual(await next(), ['sub/a'])
  await writeFile(join(other, '.dockerignore'), '')
  await symlink(other, `${root}.new`)
  await rename(`${root}.new`, root)
  t.is((await next())[0], '.')
  await eventually(async () => {
    await writeFile(join(other, 'b'), String(Math.random()))
    if (!(await next()).includes('b')) throw new Error('it is not listened to yet')
  })
})

test('a Dockerfile outside counts, and nothing is told when it has ended', async (t) => {
  const { root, outside, next, aborter, told, clock } = await make(t)
  await writeFile(outside, 'FROM other')
  t.deepEqual(await next(), [outside])
  aborter.abort()
  await writeFile(join(root, 'sub/a'), 'three')
  await clock.advance(60_000)
  t.is(told.length, 1)
})
