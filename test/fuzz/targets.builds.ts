/**
 * Fuzz targets of what strangers send for builds: archives and what they are packed with, ignore files, what builders and
 * programs write, what git says, addresses.
 */
import { gitLogin, parseGitAddress } from '#pkg/agent/builds/sources/gitaddress.ts'
import { refusal } from '#pkg/agent/builds/sources/gitprogram.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { BuildLogLines, parseBuildLogLine } from '#pkg/build/buildlog.ts'
import { contextPath } from '#pkg/build/context/entry.ts'
import { matchesGoPattern } from '#pkg/build/context/gopattern.ts'
import { encodeHeader, paddingOf, trailerBytes } from '#pkg/build/context/header.ts'
import { makeIgnore } from '#pkg/build/context/ignore.ts'
import { parseIgnore } from '#pkg/build/context/ignorefile.ts'
import { type ContextSummary, normaliseArchive } from '#pkg/build/context/normalise.ts'
import { unpack } from '#pkg/build/context/unpack.ts'
import { fetchedByAdd, readersOf } from '#pkg/build/dockerfile/reach.ts'
import type { BuildEvent } from '#pkg/engine/builds.ts'
import { ClassicReader } from '#pkg/engine/dockerbuildclassic.ts'
import { BuildKitReader } from '#pkg/engine/dockerbuildkit.ts'
import { field } from '#pkg/engine/protobuf.ts'
import { gather, piecesOf } from '../helpers/imagearchive.ts'
import { hold, type Target } from './target.ts'

function entry(path: string, type: 'file' | 'directory' | 'symlink', text = ''): Buffer {
  const linkname = type === 'symlink' ? { linkname: text } : {}
  const content = type === 'file' ? text : ''
  const header = encodeHeader({ path, type, mode: 0o644, size: content.length, mtime: 0, ...linkname })
  return Buffer.concat([header, Buffer.from(content), Buffer.alloc(paddingOf(content.length))])
}

const contextSeed = Buffer.concat([
  entry('a', 'directory'),
  entry('a/b.txt', 'file', 'hello'),
  entry('l', 'symlink', 'a/b.txt'),
  entry(`${'long/'.repeat(40)}name`, 'file', 'x'),
  Buffer.alloc(trailerBytes),
])

const maxBytes = 1024 ** 2

async function normalised(input: Uint8Array): Promise<{ archive: Buffer; summary: ContextSummary }> {
  const { archive, summary } = normaliseArchive(piecesOf(input, 700), { maxBytes })
  const bytes = await gather(archive)
  return { archive: bytes, summary: summary() }
}

const context: Target = {
  name: 'context',
  seeds: [contextSeed, contextSeed.subarray(512)],
  words: ['ustar\u000000', '../', '/etc/passwd', '12 path=../x\n', 'GNU.sparse.', '00000000777', '\u0000'],
  run: async (input) => {
    const { archive, summary } = await normalised(input)
    for (const { path, linkname = '' } of summary.entries) {
      hold(path !== '' && contextPath(path) === path, 'a path stays in the context')
      hold(!linkname.startsWith('../') || path.includes('/'), 'a link stays in the context')
    }
    hold(summary.bytes <= maxBytes, 'what is read is no more than is allowed')
    const again = await normalised(archive)
    hold(again.summary.digest === summary.digest, 'what is kept is called as what came')
  },
}

const mostUnpacked = 8 * maxBytes

const packed: Target = {
  name: 'packed',
  seeds: [
    'QlpoOTFBWSZTWRkxZT0AAACBAAJEoAAhmmgzTQczi7kinChIDJiynoA=',
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAEaGVsbG8AAAAAsTe52+XaHpsAAR0FuC2Arx+2830BAAAAAARZWg==',
  ]
    .map((text) => Buffer.from(text, 'base64'))
    .concat([
      Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0]),
    ]),
  words: ['BZh9', 'BZh1', '1AY&SY', '\u0017rE8P\u0090', '\u001f\u008b', '(\u00b5/\u00fd'],
  maxBytes: 4096,
  rounds: 300,
  run: async (input) => {
    let bytes = 0
    for await (const chunk of unpack(piecesOf(input, 100))) {
      bytes += chunk.length
      if (bytes > mostUnpacked) break
    }
  },
}

const paths = [
  ...['', 'a', 'a/b', 'a/b.txt', '.git/config', 'x'.repeat(255), 'dir/'.repeat(60), 'a.'.repeat(300)],
  `${'aaaa/'.repeat(200)}b`,
].map((path) => path.replace(/\/$/, ''))

const ignore: Target = {
  name: 'dockerignore',
  seeds: ['# c\n*\n!a/b\n**/*.md\n', 'a[b-d]?x{2,3}\n!**/x|y', '*a*a*a*a*a*b\n**/**/**/**/**/x?'],
  words: ['**/', '*', '?', '[^a]', '[[:alpha:]]', '{2,}', '{0,999}', '\\\\', '!', '|', '\n', '\\\\b', '^'],
  maxBytes: 4096,
  rounds: 150,
  run: (input) => {
    const lines = parseIgnore(input.toString())
    const { ignores } = makeIgnore(lines)
    for (const path of paths.filter((each) => each !== '')) {
      ignores(path)
      for (const line of lines.slice(0, 2)) matchesGoPattern(line, path)
    }
  },
}

function mustMakeSense(events: readonly BuildEvent[]): void {
  const log = new BuildLogLines()
  const begun = new Set<number>()
  for (const event of events) {
    if (event.type === 'step') begun.add(event.step)
    if (event.type === 'stepDone') hold(begun.delete(event.step), 'what ends has begun, and ends once')
    for (const line of log.add(event)) {
      hold(!line.includes('\n'), 'a line is one line')
      if (event.type !== 'output' || event.step === undefined) continue
      const read = parseBuildLogLine(line)
      hold(read.type === 'output' && read.step === event.step, 'no program passes for the builder')
    }
  }
  log.end()
}

const classic: Target = {
  name: 'classicbuild',
  seeds: [
    JSON.stringify(['Step 1/2 : FROM a', '\n', ' ---> aaaaaaaaaaaa\n', 'Step 2/2 : RUN x', '\n'])
      .concat('\n')
      .concat(JSON.stringify([' ---> Running in cccccccccccc\n', 'out', ' ---> bbbbbbbbbbbb\n'])),
    '[{"aux":{"ID":"sha256:1"}},{"errorDetail":{"code":3,"message":"x"},"error":"x"}]',
  ],
  words: [
    '"Step 2/2 : "',
    '" ---> bbbbbbbbbbbb\n"',
    '"[Warning] x\n"',
    '{"stream":',
    '"aux"',
    '"error"',
    ',',
  ],
  run: (input) => {
    const reader = new ClassicReader({ hasLabels: input.length % 2 === 0 })
    const values = input
      .toString()
      .split('\n')
      .flatMap((line): unknown[] => {
        try {
          const value: unknown = JSON.parse(line)
          return Array.isArray(value) ? value : [value]
        } catch (error) {
          if (error instanceof SyntaxError) return [`${line}\n`]
          throw error
        }
      })
    const events = values.flatMap((value) => [
      ...reader.read(typeof value === 'string' ? { stream: value } : value),
    ])
    mustMakeSense([...events, ...reader.broken()])
  },
}

const vertex = (name: string, more: readonly Uint8Array[] = []) =>
  field(1, Buffer.concat([field(1, 'sha256:1'), field(3, name), field(5, field(1, 9)), ...more]))

const trace: Target = {
  name: 'buildkittrace',
  seeds: [
    vertex('[build 1/2] FROM a'),
    Buffer.concat([
      vertex('[2/2] RUN make', [field(6, field(1, 10)), field(7, 'exit code: 2')]),
      field(3, Buffer.concat([field(1, 'sha256:1'), field(4, 'out')])),
      field(4, field(3, 'a warning')),
    ]),
  ],
  words: ['[1/2] RUN ', '[a 3/3] COPY', 'canceled', 'sha256:1', '\u0008\u0001', '\u00ff\u00ff\u00ff'],
  run: (input) => {
    const reader = new BuildKitReader()
    try {
      const line = { id: 'moby.buildkit.trace', aux: input.toString('base64') }
      mustMakeSense([...reader.read(line), ...reader.read(line), ...reader.broken()])
    } catch (error) {
      if (!isReason(error, 'EngineError')) throw error
    }
  },
}

const password = 'p@ss w/rd:1'

const git: Target = {
  name: 'gitwords',
  seeds: [
    'https://me:secret@git.example/app.git',
    'git@host:repo.git',
    `fatal: unable to access 'https://me:${encodeURIComponent(password)}@h/': 403\nremote: ${password}`,
    'file:///srv/git',
  ],
  words: [password, encodeURIComponent(password), 'fatal: ', 'remote: ', '\r', '\n', '@', '://', '%'],
  run: (input) => {
    const text = input.toString()
    const login = { type: 'basic', username: 'me', password } as const
    const place = { address: parseGitAddress('https://git.example/'), login, secret: 'a/b' }
    const { message } = refusal({ code: 1, output: Buffer.alloc(0), errors: text }, place)
    hold(!message.includes(password), 'what git says tells no password')
    hold(!message.includes(encodeURIComponent(password)), 'nor as it stands in an address')
    const address = parseGitAddress(text)
    hold(!address.address.startsWith('-'), 'an address is no option')
    if (address.login !== undefined)
      hold(!/^https?:\/\/[^/]*@/.test(address.address), 'an address tells no login')
    gitLogin(address, address.protocol === 'ssh' ? 'a/b' : undefined, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'b' },
      type: 'kubernetes.io/ssh-auth',
      data: { 'ssh-privatekey': 'eA==', known_hosts: 'eA==' },
    })
  },
}

const reach: Target = {
  name: 'dockerfilereach',
  seeds: ['# syntax=docker/dockerfile:1\nFROM a\nADD a http://b /c', 'FROM a\nONBUILD ADD ["x://", "/"]'],
  words: ['ADD ', 'ONBUILD ', '://', '# syntax=', '<<EOF\n', '["', '\\\\\n'],
  run: (input) => {
    const text = input.toString()
    for (const { source } of fetchedByAdd(text)) hold(source !== '', 'what is fetched is something')
    readersOf(text)
  },
}

export const buildTargets: readonly Target[] = [context, packed, ignore, classic, trace, git, reach]
