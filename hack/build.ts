/**
 * Builds bin/cove: esbuild makes one file of the program and one of the storage thread, Node puts both into a copy
 * of itself. Nothing of node_modules is needed to run the result.
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
import { storageWorkerAsset } from '../cmd/cove/embedded.ts'

const root = resolve(import.meta.dirname, '..')

/**
 * ssh2, which dockerode brings, uses compiled addons when there are any and does without when loading one throws.
 * They cannot be part of one file, so loading them always throws there.
 */
const withoutAddons: Plugin = {
  name: 'without-addons',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.node$|^cpu-features$/ }, ({ path }) => ({ path, namespace: 'addon' }))
    onLoad({ filter: /.*/, namespace: 'addon' }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`the addon ${path} is not part of the executable`)})`,
    }))
  },
}

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
    legalComments: 'none',
    logLevel: 'warning',
    define: { ...define, 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(process.execPath).href;" },
    plugins: [withoutAddons],
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
    const worker = join(work, storageWorkerAsset)
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    await Promise.all([
      bundle('cmd/cove/main.ts', program, {
        COVE_VERSION: JSON.stringify(`v${version}`),
        COVE_COMMIT: JSON.stringify(commit()),
      }),
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
      assets: { [storageWorkerAsset]: worker },
    }
    writeFileSync(config, JSON.stringify(sea))
    execFileSync(process.execPath, ['--build-sea', config], {
      cwd: work,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    chmodSync(output, 0o755)
    const sizes = `program ${megabytes(program)}, storage thread ${megabytes(worker)}, whole ${megabytes(output)}`
    // A rename, so that a cove that is running keeps its own file.
    renameSync(output, join(bin, 'cove'))
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    process.stderr.write(`built bin/cove in ${seconds} s: ${sizes}\n`)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

await main()
