import test from 'ava'
import { parseFlags } from './flags.ts'

const input = { env: {}, home: '/home/ann', cwd: '/w', hostname: 'Edge-1', isRoot: false }
const pin = `sha256:${'ab'.repeat(32)}`
const agent = (...words: string[]) => parseFlags('agent', words, input)

test('a join is a server, a pin, and where the token comes from', (t) => {
  const flags = agent('--join', 'https://c:7443/', '--ca-pin', pin.toUpperCase(), '--token-file', '-')
  t.deepEqual(flags?.join, { server: 'https://c:7443', pin, tokenFile: '-' })
  t.is(agent('--join', 'https://c:7443', '--ca-pin', pin)?.join?.tokenFile, undefined)
  t.is(agent()?.join, undefined)
})

test('half a join is refused, and says which half is missing', (t) => {
  const wrong: [string[], RegExp][] = [
    [['--join', 'https://c:7443'], /--ca-pin: must be sha256:/],
    [['--join', 'https://c:7443', '--ca-pin', 'abc'], /--ca-pin/],
    [['--join', 'c:7443', '--ca-pin', pin], /--join: "c:7443" is not a URL/],
    [['--join', 'http://c:7443', '--ca-pin', pin], /--join/],
    [['--ca-pin', pin], /--ca-pin: goes with --join/],
    [['--token-file', 'x'], /--token-file: goes with --join/],
    [['--join', 'https://c:7443', '--ca-pin', pin, '--kubeconfig', 'k'], /cannot be used together/],
  ]
  for (const [words, message] of wrong) t.throws(() => agent(...words), { message }, words.join(' '))
})

test('a token on the command line is refused without repeating it', (t) => {
  const error = t.throws(() => agent('--token', 'abcdef.0123456789abcdef'))
  t.regex(error?.message ?? '', /--token/)
  t.false(error?.message.includes('0123456789abcdef'))
})

test('a server is told how large files may be', (t) => {
  t.is(parseFlags('server', ['--max-upload', '500Mi'], input)?.maxUploadBytes, 500 * 1024 ** 2)
  t.is(parseFlags('server', [], input)?.maxUploadBytes, undefined)
  for (const text of ['much', '0', '-1', '1.5'])
    t.throws(() => parseFlags('server', [`--max-upload=${text}`], input), { message: /such as 10Gi/ })
})

test('a server takes further names, and how long nodes are certified', (t) => {
  const words = ['--tls-san', 'a', '--tls-san', '10.0.0.1', '--node-certificate-lifetime', '2h']
  const flags = parseFlags('server', words, input)
  t.deepEqual(flags?.hosts, ['a', '10.0.0.1'])
  t.is(flags?.nodeCertificateMs, 7_200_000)
  for (const text of ['9s', 'soon', '10'])
    t.throws(() => parseFlags('server', ['--node-certificate-lifetime', text], input), {
      message: /at least 10s/,
    })
})

test('how long pulls may stand still is for the agent, and for up', (t) => {
  const flag = '--image-pull-progress-deadline'
  for (const name of ['agent', 'up'] as const) t.is(parseFlags(name, [flag, '90s'], input)?.stallMs, 90_000)
  t.is(parseFlags('agent', [], input)?.stallMs, undefined)
  t.throws(() => parseFlags('agent', [flag, '10ms'], input), { message: /at least 1s/ })
  t.throws(() => parseFlags('server', [flag, '90s'], input), { message: /Unknown option/ })
})
