import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { eventually } from './eventually.ts'
import { endWithUs } from './guard.ts'

/** What has ended and waits for somebody to ask how is not alive. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error
    return `${pid} (gone) Z`
  })
  return !/\) [ZX]/.test(stat)
}

test('a child ends when the worker that started it is terminated', async (t) => {
  const guard = new URL('./guard.ts', import.meta.url).href
  const source = `
    import { spawn } from 'node:child_process'
    import { parentPort } from 'node:worker_threads'
    const { endWithUs } = await import(${JSON.stringify(guard)})
    const child = spawn('sleep', ['600'], { stdio: 'ignore' })
    endWithUs(child)
    parentPort.postMessage(child.pid)
    setInterval(() => {}, 1000)`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
  const [pid] = await once(worker, 'message')
  t.true(await isAlive(pid))
  await worker.terminate()
  await eventually(async () => assert.ok(!(await isAlive(pid))))
})

test('a child that ends by itself takes its guard along', async (t) => {
  const child = spawn('sleep', ['0'], { stdio: 'ignore' })
  endWithUs(child)
  const [code] = await once(child, 'exit')
  t.is(code, 0)
})
