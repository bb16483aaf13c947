/**
 * What a registry is asked by many Images that follow tags which do not move: one HEAD for each and check, nothing that
 * counts as a pull, and not all at the same moment. Counted by a relay in front of a real registry.
 */
import { type CountingProxy, startCountingProxy } from '../helpers/countingproxy.ts'
import { eventually } from '../helpers/eventually.ts'
import { startRegistry } from '../helpers/registry.ts'
import type { Report } from './report.ts'
import { cpuMs, type Running, withCove } from './running.ts'

const count = 100
const minute = 60_000
const manifestType = 'application/vnd.docker.distribution.manifest.v2+json'

export async function run(report: Report): Promise<void> {
  const registry = await startRegistry()
  const proxy = await startCountingProxy(registry.address)
  try {
    await withCove(async (running) => {
      const { namespace, host, image, kubectl } = running
      await registry.push(host, image, `${namespace}/app:0`)
      await tagMany(registry.address, `${namespace}/app`)
      try {
        await follow(running, proxy, report)
      } finally {
        // With their names on the engine.
        await kubectl('delete', 'images.cove.run', '--all', '--wait=true', '--timeout=60s')
      }
    })
  } finally {
    await proxy.stop()
    await registry.stop()
  }
}

/** The same image under as many tags. */
async function tagMany(address: string, repository: string): Promise<void> {
  const path = `http://${address}/v2/${repository}/manifests`
  const read = await fetch(`${path}/0`, { headers: { accept: manifestType } })
  const body = await read.text()
  for (let tag = 1; tag < count; tag++) {
    const headers = { 'content-type': manifestType }
    const { status } = await fetch(`${path}/${tag}`, { method: 'PUT', headers, body })
    if (status !== 201) throw new Error(`tag ${tag}: status ${status}`)
  }
}

async function follow(
  { namespace, create, kubectl, pid }: Running,
  proxy: CountingProxy,
  report: Report,
): Promise<void> {
  for (let tag = 0; tag < count; tag++) {
    const reference = `${proxy.address}/${namespace}/app:${tag}`
    const spec = { reference, update: { policy: 'Digest', schedule: '* * * * *' } }
    await create({ kind: 'Image', metadata: { name: `app-${tag}`, namespace }, spec })
  }
  const jsonpath = 'jsonpath={range .items[*]}{.status.checkedAt}{"\\n"}{end}'
  await eventually(
    async () => {
      const times = (await kubectl('get', 'images.cove.run', '-o', jsonpath)).split('\n')
      const checked = times.filter((time) => time !== '').length
      if (checked < count) throw new Error(`${checked} of ${count} are checked`)
    },
    { timeoutMs: 3 * minute, pauseMs: 1000, what: 'a first check of each' },
  )
  const cpuBefore = await cpuMs(pid)
  const from = Date.now()
  await new Promise((resolve) => setTimeout(resolve, minute))
  const seen = proxy.seen.filter(({ at }) => at >= from && at < from + minute)
  const heads = seen.filter(({ line }) => line.startsWith('HEAD '))
  const others = seen.filter(({ line }) => !line.startsWith('HEAD ') && !/^GET \/v2\/$/.test(line))
  if (others.length > 0) throw new Error(`it was asked for more: ${others[0]?.line}`)
  const bursts = Map.groupBy(heads, ({ at }) => Math.floor((at - from) / 1000)).values()
  const row = (name: string, value: number, unit: string, baseline?: number) =>
    report({ name: `follow: ${name}`, value, unit, ...(baseline !== undefined && { baseline }) })
  row(`HEADs of a check of ${count} tags`, heads.length, 'requests', count)
  row('other requests for manifests and layers', others.length, 'requests')
  row('most HEADs within a second', Math.max(...[...bursts].map(({ length }) => length)), 'requests')
  row(`CPU of cove up for it, a minute`, (await cpuMs(pid)) - cpuBefore, 'ms')
}
