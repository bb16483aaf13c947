/** The rules of the house as data; architecture.test.ts holds the sources against them. */

/** What a folder of pkg may import besides itself. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  apimachinery: [],
  apis: ['apimachinery'],
  plan: ['apimachinery'],
  storage: ['apimachinery'],
  engine: ['apimachinery'],
  registry: ['apimachinery'],
  build: ['apimachinery'],
  manifest: ['apimachinery', 'apis'],
  client: ['apimachinery', 'apis'],
  apiserver: ['apimachinery', 'apis', 'storage', 'build', 'manifest'],
  controller: ['apimachinery', 'apis', 'plan', 'build', 'client', 'manifest'],
  agent: ['apimachinery', 'apis', 'plan', 'client', 'engine', 'registry', 'build'],
  cli: ['apimachinery', 'apis', 'plan', 'build', 'client', 'manifest'],
  dashboard: ['apimachinery', 'apis', 'client'],
  sim: [
    'apimachinery',
    'apis',
    'plan',
    'storage',
    'engine',
    'registry',
    'build',
    'manifest',
    'client',
    'apiserver',
    'controller',
    'agent',
  ],
}

/** The rooms of the API server, lowest first: each may import those before it; the folder itself puts them together. */
export const rooms: readonly string[] = [
  'cache',
  'http',
  'documents',
  'verbs',
  'access',
  'door',
  'audit',
  'data',
  'streams',
]

export interface Wall {
  readonly package: string
  /** The files that may import it. */
  readonly files: RegExp
  /** How many of these files may import its values; absent: all. */
  readonly atMost?: number
  /** Files that may import its types only. */
  readonly types?: RegExp
}

export const walls: readonly Wall[] = [
  { package: 'dockerode', files: /^pkg\/engine\/docker\.ts$/, types: /^pkg\/engine\/docker\w*\.ts$/ },
  { package: 'croner', files: /^pkg\/apis\/schedule\.ts$/ },
  { package: 'semver', files: /^pkg\/apis\/versions\.ts$/ },
  { package: 'tar-stream', files: /^pkg\/(?:\w+|build\/context)\/\w*archive\w*\.ts$/ },
  { package: 'chokidar', files: /^pkg\/build\/context\/watch\.ts$/ },
  { package: 'unbzip2-stream', files: /^pkg\/build\/context\/unpack\w*\.ts$/ },
  { package: 'xz-decompress', files: /^pkg\/build\/context\/unpack\w*\.ts$/ },
  { package: 'js-yaml', files: /^pkg\/manifest\// },
  { package: 'node:sqlite', files: /^pkg\/storage\/sqlite\w*\.ts$/ },
  { package: 'fast-json-patch', files: /^pkg\/apiserver\//, atMost: 1 },
  { package: '@peculiar/x509', files: /^pkg\/apiserver\//, atMost: 1 },
  { package: 'reflect-metadata', files: /^pkg\/apiserver\//, atMost: 1 },
  { package: 'typebox', files: /^pkg\/apis\// },
  { package: 'ws', files: /^pkg\/apiserver\/streams\/websocket\.ts$/ },
  // It takes half a second to load: for tests, which stand outside of the product.
  { package: '@kubernetes/client-node', files: /^test\// },
  {
    package: '@marcbachmann/cel-js',
    files: /^pkg\/apis\/cel\.ts$/,
    types: /^pkg\/apis\/celfunctions\.ts$/,
  },
]

/** What only cmd/ and ambient.ts may ask the process for. */
export const ambient: Readonly<Record<string, RegExp>> = {
  'the time': /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/,
  randomness: /\bMath\.random\b/,
  timers: /(?<![.\w$#])(?:setTimeout|setInterval|setImmediate)\b|\bAbortSignal\.timeout\b/,
  'the process':
    /(?<![.\w$#])process\.(?:env|argv|exit|exitCode|on|once|off|cwd|std\w+|pid|ppid|platform|arch|hrtime|nextTick|memoryUsage|kill|uptime|version|versions|execPath|getuid|emitWarning)\b/,
  'the console': /(?<![.\w$#])console\./,
}

export const ambientModules = ['node:process', 'node:console', 'node:timers']

export const ambientFiles = /^(?:cmd\/|pkg\/apimachinery\/ambient\.ts$)/

/** Files below cmd/ that ask the process all the same; each with the reason. */
export const ambientExceptions: Readonly<Record<string, string>> = {}

/** Deciding is here: same inputs, same answer, no waiting. */
export const pureFiles = [
  /\.plan\.ts$/,
  /\/(?:request|dockerspec|status|admit)\.ts$/,
  /^pkg\/agent\/(?:container|image|build|volume|network|status)(?:\.\w+)?\.ts$/,
]

/** Built-in modules that compute and touch nothing outside. */
export const pureModules = [
  'node:crypto',
  'node:path',
  'node:util',
  'node:url',
  'node:querystring',
  'node:buffer',
]

/** A suite is read test by test, a source as a whole. */
export const maxLines = { ofSources: 400, ofTests: 700 }
