/**
 * `cove build` against `docker build` of the same folder: from the command until it says that the image is there. With a
 * file that has changed, so that steps run; with nothing changed, where docker finds all in its cache and Cove has nothing
 * to do; and asked for all the same, so that the engine finds all in its cache for both.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report } from './report.ts'
import { median, type Running, withCove } from './running.ts'

const rounds = 5
const files = 400
const fileBytes = 25_000

export async function run(report: Report): Promise<void> {
  await withCove(async (running) => {
    const directory = await mkdtemp(join(tmpdir(), 'cove-bench-build-'))
    const docker = `cove-bench/${running.namespace}:docker`
    try {
      await measure(running, { directory, docker, report })
    } finally {
      await running.cove('delete', 'build', 'bench', '--wait')
      await running.engine.request('DELETE', `/images/${docker}?force=true`)
      await removeBuilt(running)
      await rm(directory, { recursive: true, force: true })
    }
  })
}

interface Measuring {
  readonly directory: string
  readonly docker: string
  readonly report: Report
}

async function measure(running: Running, { directory, docker, report }: Measuring): Promise<void> {
  const context = join(directory, 'ctx')
  const manifest = await writeProject(running, directory, context)
  const change = async (text: string) => await writeFile(join(context, 'changed'), text)
  const dockerBuild = () =>
    seconds(() =>
      runDocker(running, [
        'build',
        '-q',
        '--label',
        `cove-bench=${running.namespace}`,
        '-t',
        docker,
        context,
      ]),
    )
  const coveBuild = () => seconds(() => running.cove('build', '-f', manifest))
  const theirs: number[] = []
  const theirsCached: number[] = []
  const ours: number[] = []
  const oursUnchanged: number[] = []
  const oursCached: number[] = []
  for (let round = 0; round < rounds; round++) {
    await change(`docker ${round} ${running.namespace}`)
    theirs.push(await dockerBuild())
    theirsCached.push(await dockerBuild())
    await change(`cove ${round} ${running.namespace}`)
    ours.push(await coveBuild())
    oursUnchanged.push(await coveBuild())
    oursCached.push(await seconds(() => running.cove('build', 'bench')))
  }
  const row = (name: string, of: readonly number[], baseline: readonly number[]) =>
    report({ name, value: median([...of]), unit: 's', baseline: median([...baseline]) })
  row('cove build of 400 files, one changed (against docker build)', ours, theirs)
  row('cove build with nothing changed (against docker build)', oursUnchanged, theirsCached)
  row('cove build NAME, every step cached (against docker build)', oursCached, theirsCached)
}

async function writeProject(
  { image, namespace }: Running,
  directory: string,
  context: string,
): Promise<string> {
  await mkdir(context)
  for (let index = 0; index < files; index++)
    await writeFile(join(context, `f${index}`), Buffer.alloc(fileBytes, `${namespace}${index} `))
  const lines = [
    `FROM ${image}`,
    'COPY . /app/',
    'RUN cat /app/changed > /seen',
    'CMD ["sleep", "86400"]',
    '',
  ]
  await writeFile(join(context, 'Dockerfile'), lines.join('\n'))
  const manifest = join(directory, 'build.yaml')
  const metadata = { name: 'bench', namespace }
  const spec = { context: { path: 'ctx' }, builder: 'Classic' }
  await writeFile(manifest, JSON.stringify({ apiVersion: 'cove.run/v1', kind: 'Build', metadata, spec }))
  return manifest
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}

/** The classic builder, as the engine's own default is. */
async function runDocker({ host }: Running, words: readonly string[]): Promise<void> {
  const env = { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0' }
  const child = spawn('docker', words, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const said: string[] = []
  child.stderr.on('data', (chunk) => said.push(String(chunk)))
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`docker ${words.join(' ')}: ${said.join('')}`)
}

/** What earlier rounds left without a name. */
async function removeBuilt({ engine, namespace }: Running): Promise<void> {
  for (const label of [`cove.run/build=${namespace}/bench`, `cove-bench=${namespace}`]) {
    const filters = encodeURIComponent(JSON.stringify({ label: [label], dangling: ['true'] }))
    const left = (await engine.request('GET', `/images/json?filters=${filters}`)).json()
    if (!Array.isArray(left)) throw new Error(`no list of images: ${JSON.stringify(left)}`)
    for (const { Id } of left) await engine.request('DELETE', `/images/${Id}`)
  }
}
