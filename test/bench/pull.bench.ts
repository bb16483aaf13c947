/**
 * Pulling an image through Cove, against `docker pull` of the same: from the wish until the engine tells that it is
 * there. And how often an image is pulled that many Containers want at once. The registry is a real one on loopback.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mustRequest, type RawEngine } from '../helpers/engine.ts'
import { startRegistry } from '../helpers/registry.ts'
import { tar } from '../helpers/tar.ts'
import { told } from './events.ts'
import type { Report } from './report.ts'
import { median, type Running, withCove } from './running.ts'

const rounds = 5
const layers = 4
const layerBytes = 48 * 1024 * 1024
const together = 20

export async function run(report: Report): Promise<void> {
  const registry = await startRegistry()
  try {
    await withCove(async (running) => {
      const { engine, host, namespace, image } = running
      const big = await makeImage(engine, image, `${namespace}-big`)
      const reference = await registry.push(host, big, `${namespace}/big:1`)
      const pulls = await followPulls(engine)
      try {
        await alone(running, { reference, big, pulls, report })
        await shared(running, await registry.push(host, image, `${namespace}/many:1`), pulls, report)
      } finally {
        pulls.stop()
        await engine.request('DELETE', `/images/${big}?force=true`)
      }
    })
  } finally {
    await registry.stop()
  }
}

interface Pulls {
  /** ms since the epoch of each pull that ended well, by reference. */
  readonly of: (reference: string) => readonly number[]
  readonly stop: () => void
}

interface Pulling {
  readonly reference: string
  /** A name under which the layers stay unless it goes too. */
  readonly big: string
  readonly pulls: Pulls
  readonly report: Report
}

async function alone(running: Running, { reference, big, pulls, report }: Pulling): Promise<void> {
  const { engine, namespace } = running
  await engine.request('DELETE', `/images/${big}?force=true`)
  const [raw, ours]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const before = Date.now()
    await dockerPull(running.host, reference)
    raw.push((await ended(pulls, reference, 2 * round + 1)) - before)
    await mustRequest(engine, 'DELETE', `/images/${reference}?force=true`)
    const wished = Date.now()
    await running.create({
      kind: 'Image',
      metadata: { name: `big-${round}`, namespace },
      spec: { reference, nodeName: namespace },
    })
    ours.push((await ended(pulls, reference, 2 * round + 2)) - wished)
    await running.kubectl('delete', 'image.cove.run', `big-${round}`)
    await engine.request('DELETE', `/images/${reference}?force=true`)
  }
  const baseline = median(raw)
  const megabytes = (layers * layerBytes) / 1024 / 1024
  report({ name: `pull: ${megabytes} MB by docker pull`, value: baseline, unit: 'ms' })
  const value = median(ours)
  report({ name: `pull: ${megabytes} MB as an Image`, value, unit: 'ms', baseline, ratio: value / baseline })
}

async function shared(running: Running, reference: string, pulls: Pulls, report: Report): Promise<void> {
  const { engine, cove, manifest } = running
  await cove('apply', '-f', await manifest('many', together, { image: reference }), '--wait')
  const value = pulls.of(reference).length
  report({ name: `pull: pulls for ${together} Containers that want one image`, value, unit: 'pulls' })
  await cove('delete', 'containers', '--all')
  await engine.request('DELETE', `/images/${reference}`)
}

async function ended(pulls: Pulls, reference: string, count: number): Promise<number> {
  return await told(() => pulls.of(reference)[count - 1], `pull ${count} of ${reference}`, 120_000)
}

async function followPulls(engine: RawEngine): Promise<Pulls> {
  const seen: { readonly name: string; readonly ms: number }[] = []
  const filters = encodeURIComponent(JSON.stringify({ type: ['image'], event: ['pull'] }))
  const stop = await engine.follow(`/events?filters=${filters}`, (line) => {
    if (line.trim() === '') return
    const { id, timeNano } = JSON.parse(line) as { id: string; timeNano: number }
    seen.push({ name: id, ms: timeNano / 1e6 })
  })
  return { stop, of: (reference) => seen.filter(({ name }) => name === reference).map(({ ms }) => ms) }
}

async function dockerPull(host: string, reference: string): Promise<void> {
  const child = spawn('docker', ['--host', host, 'pull', '--quiet', reference], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`docker pull ended with ${code}`)
}

/** Layers that nothing compresses, on top of `base`. */
async function makeImage(engine: RawEngine, base: string, name: string): Promise<string> {
  let image = base
  for (let layer = 0; layer < layers; layer++) {
    const { Id } = (await mustRequest(engine, 'POST', '/containers/create', {
      Image: image,
      Cmd: ['true'],
    })) as {
      Id: string
    }
    const archive = tar([{ name: `layer-${layer}`, mode: 0o644, data: randomBytes(layerBytes) }])
    const put = await engine.request('PUT', `/containers/${Id}/archive?path=/`, archive)
    if (put.status !== 200) throw new Error(put.text)
    await mustRequest(engine, 'POST', `/commit?container=${Id}&repo=${name}&tag=1`)
    await mustRequest(engine, 'DELETE', `/containers/${Id}`)
    image = `${name}:1`
  }
  return image
}
