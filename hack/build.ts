/**
 * Builds bin/cove: esbuild makes one file of the CLI, one of the daemons and one of the storage thread, Node puts
 * them into a copy of itself. Nothing of node_modules is needed to run the result.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import { daemonsAsset, storageWorkerAsset } from '../cmd/cove/embedded.ts'

const root = resolve(import.meta.dirname, '..')

/**
 * What dockerode brings for engines behind ssh and for sessions of BuildKit: nothing of Cove leads there, and it would
 * be most of the program and of its memory. Whoever comes to use it is told so by name.
 */
const unused = /^(ssh2|protobufjs|@grpc\/(grpc-js|proto-loader))$/

const withoutUnused: Plugin = {
  name: 'without-unused',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: unused }, ({ path }) => ({ path, namespace: 'unused' }))
    onLoad({ filter: /.*/, namespace: 'unused' }, ({ path }) => ({
      contents: `const missing = () => { throw new Error(${JSON.stringify(`${path} is not part of the executable`)}) }
        module.exports = new Proxy({}, { get: () => missing })`,
    }))
  },
}

/** The CLI is loaded without the daemons, whose code it would only be slower by: they are a file of their own. */
const daemonsApart: Plugin = {
  name: 'daemons-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/daemon\.ts$/ }, ({ path }) => ({ path, external: true }))
  },
}

const programEntry = 'cmd/cove/main.ts'

/** CommonJS, because code cache and worker threads started from a string need it; `import()` stays lazy. */
function bundle(entry: string, outfile: string, define: Record<string, string> = {}): Promise<unknown> {
  const options: BuildOptions = {
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    // No more than this: an error that nobody catches prints its whole line.
    minifySyntax: true,
    // A built-in module that is imported late is required: the daemons are a script from memory, which cannot import.
    supported: { 'dynamic-import': false },
    legalComments: 'none',
    logLevel: 'warning',
    define: { ...define, 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(process.execPath).href;" },
    plugins: [withoutUnused, ...(entry === programEntry ? [daemonsApart] : [])],
  }
  return build(options)
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
}

/** Empty when this is no git checkout, as in an unpacked source archive. */
function commit(): string {
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') !== ''
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '-dirty' : ''}`
  } catch (error) {
    process.stderr.write(`build: without a commit in the version: ${String(error).split('\n')[0]}\n`)
    return ''
  }
}

function megabytes(path: string): string {
  return `${(statSync(path).size / 1e6).toFixed(2)} MB`
}

async function main(): Promise<void> {
  const start = performance.now()
  const bin = join(root, 'bin')
  mkdirSync(bin, { recursive: true })
  const work = mkdtempSync(join(bin, '.build-'))
  try {
    const program = join(work, 'cove.js')
    const daemons = join(work, daemonsAsset)
    const worker = join(work, storageWorkerAsset)
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const about = { COVE_VERSION: JSON.stringify(`v${version}`), COVE_COMMIT: JSON.stringify(commit()) }
    await Promise.all([
      bundle(programEntry, program, about),
      bundle('cmd/cove/daemon.ts', daemons, about),
      bundle('pkg/storage/sqlite.worker.ts', worker),
    ])
    const config = join(work, 'sea.json')
    const output = join(work, 'cove')
    const sea = {
      // Relative, so that stack traces do not show where it was built.
      main: basename(program),
      output,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      // Room for garbage of a moment: more saves little work and is held for good, in every process.
      execArgv: ['--max-semi-space-size=2'],
      assets: { [daemonsAsset]: daemons, [storageWorkerAsset]: worker },
    }
    writeFileSync(config, JSON.stringify(sea))
    execFileSync(process.execPath, ['--build-sea', config], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    chmodSync(output, 0o755)
    const sizes = `program ${megabytes(program)}, daemons ${megabytes(daemons)}, storage thread ${megabytes(worker)}, whole ${megabytes(output)}`
    // A rename, so that a cove that is running keeps its own file.
    renameSync(output, join(bin, 'cove'))
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    process.stderr.write(`built bin/cove in ${seconds} s: ${sizes}\n`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

await main()
