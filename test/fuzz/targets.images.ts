/**
 * Fuzz targets of what registries, engines, other nodes and people say of images: logins, challenges, manifests, archives
 * that are sent, settings of an engine, what it lists, what is to be pruned.
 */
import { parseFile, settingsIn, withSettings } from '#pkg/agent/engineconfig/settings.ts'
import { withoutNames } from '#pkg/agent/images/receivedarchive.ts'
import { gatherBytes, tarEntries } from '#pkg/agent/images/tararchive.ts'
import { decodeBook, encodeBook } from '#pkg/agent/prune/lastused.text.ts'
import { nodePrune } from '#pkg/agent/prune/nodeprune.ts'
import { UsageBook } from '#pkg/agent/usage.ts'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason, type Reason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { credentialsFor } from '#pkg/apis/dockerconfig.ts'
import {
  decodeHistory,
  decodeNodeDisk,
  decodeNodeImages,
  decodeTransferLine,
} from '#pkg/apis/looks.images.ts'
import { decodeNodePrune } from '#pkg/apis/looks.prune.ts'
import { decodeFound, decodeNames } from '#pkg/apis/looks.registry.ts'
import { decodeRegistryAuth, encodeRegistryAuth } from '#pkg/apis/registryauth.ts'
import { UsageError } from '#pkg/cli/errors.ts'
import { compileTemplate } from '#pkg/cli/gotemplate.ts'
import * as view from '#pkg/engine/dockerimagesview.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import {
  choosePlatform,
  parseFound,
  parseManifest,
  parseTexts,
  parseToken,
  refusalText,
} from '#pkg/registry/answers.ts'
import { nextPage, parseChallenge, tokenAddress } from '#pkg/registry/challenge.ts'
import { retryAfterSeconds } from '#pkg/registry/failures.ts'
import { tar } from '../helpers/tar.ts'
import { hold, type Target } from './target.ts'

/** Undefined: it is no JSON, which is refused before. */
function json(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Undefined when it fails as it may. */
function unless<T>(reason: Reason, read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isReason(error, reason)) return undefined
    throw error
  }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

const dockerConfig: Target = {
  name: 'dockerconfig',
  seeds: [
    JSON.stringify({ auths: { 'r.io': { auth: base64('me:secret') } } }),
    JSON.stringify({ auths: { 'https://index.docker.io/v1/': { username: 'me', password: 'p' } } }),
    JSON.stringify({ auths: { '*.r.io:5000/team': { auth: base64('me:') } }, credsStore: 'pass' }),
  ],
  words: ['"auths"', '"auth"', '"username"', '"password"', 'r.io', '*', '/v2/', 'https://'],
  run: (input) => {
    const secret = (type: string, key: string): Secret => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'login' },
      type,
      data: { [key]: input.toString('base64') },
    })
    for (const reference of ['r.io/team/app:1', 'nginx', 'a.r.io:5000/team/app'])
      for (const [type, key] of [
        ['kubernetes.io/dockerconfigjson', '.dockerconfigjson'],
        ['kubernetes.io/dockercfg', '.dockercfg'],
      ] as const)
        for (const { from, credentials } of credentialsFor(reference, ['a/b'], () => secret(type, key))) {
          hold(from === 'Secret a/b', 'credentials are told by their Secret')
          const again = decodeRegistryAuth(encodeRegistryAuth(credentials))
          hold(sameJson(again, credentials), 'credentials arrive as they were sent')
        }
    decodeRegistryAuth(input.toString('latin1'))
  },
}

const registryHeader: Target = {
  name: 'registryheader',
  seeds: [
    'Bearer realm="https://auth.r.io/token",service="r.io",scope="repository:a/b:pull"',
    'Basic realm="r", Bearer realm="https://x/"',
    '</v2/a/tags/list?n=10&last=b>; rel="next"',
    'Wed, 21 Oct 2026 07:28:00 GMT',
    '120',
  ],
  words: [
    'Bearer ',
    'Basic ',
    'realm=',
    'scope=',
    '"',
    '\\"',
    ',',
    '<',
    '>',
    '; rel="next"',
    'https://',
    '//evil',
    'a:',
  ],
  run: (input) => {
    const header = input.toString('latin1')
    const challenge = parseChallenge(header)
    if (challenge?.scheme === 'bearer') {
      const address = tokenAddress(challenge, { scope: 'repository:a:pull', account: 'me' })
      const isWeb = address === undefined || /^https?:$/.test(address.protocol)
      hold(isWeb, 'a token is asked for on the web')
    }
    const page = nextPage(header, new URL('https://r.io/v2/'))
    const isHere = page === undefined || new URL(page, 'https://r.io').host === 'r.io'
    hold(isHere, 'a page is of the same host')
    const wait = retryAfterSeconds(header, 0)
    hold(wait === undefined || (wait >= 1 && wait <= 21_600), 'nobody waits for ever')
  },
}

const someDigest = `sha256:${'a'.repeat(64)}`

const registryAnswer: Target = {
  name: 'registryanswer',
  seeds: [
    JSON.stringify({ layers: [{ digest: someDigest, size: 7 }] }),
    JSON.stringify({
      manifests: [{ digest: someDigest, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }],
    }),
    '{"tags":["1","2"],"repositories":null}',
    '{"token":"abc","access_token":"def","expires_in":60}',
    '{"results":[{"name":"n","description":"d","star_count":1,"is_official":true}]}',
    '{"errors":[{"code":"DENIED","message":"no hunter2 here"}]}',
  ],
  words: ['"layers"', '"manifests"', '"platform"', '"tags"', '"errors"', '"message"', 'hunter2', someDigest],
  run: (input) => {
    const manifest = unless('RegistryUnavailable', () => parseManifest('r.io', input))
    if (manifest !== undefined && 'index' in manifest) {
      const chosen = choosePlatform(manifest.index, 'linux/arm/v7')
      if (chosen !== undefined)
        hold(/^linux\/arm(\/v7|$)/.test(chosen.platform), 'the platform is the wanted one')
    }
    if (manifest !== undefined && 'layers' in manifest)
      for (const { bytes } of manifest.layers) hold(bytes >= 0, 'no layer is smaller than nothing')
    for (const name of ['tags', 'repositories'])
      unless('RegistryUnavailable', () => parseTexts('r.io', input, name))
    const token = unless('RegistryUnavailable', () => parseToken('r.io', input))
    if (token !== undefined) {
      hold(/^[\x21-\x7e]+$/.test(token.token), 'a token is one word of a header')
      hold(token.lifetimeMs > 0 && token.lifetimeMs <= 86_400_000, 'a token ends')
    }
    unless('RegistryUnavailable', () => parseFound('r.io', input))
    const text = refusalText(input, ['hunter2'])
    hold(!text.includes('hunter2'), 'what was shown is not told')
    hold(/^[\x20-\x7e]{0,200}$/.test(text), 'words of strangers are short and plain')
  },
}

const file = (name: string, text: string) => ({ name, mode: 0o644, data: Buffer.from(text) })
const manifest = JSON.stringify([{ Config: 'c.json', RepoTags: ['nginx:1'], Layers: ['a/layer.tar'] }])
const savedImage = tar([
  file('c.json', '{}'),
  file('a/layer.tar', 'x'.repeat(600)),
  file('manifest.json', manifest),
])

async function* pieces(input: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < input.length; at += size) yield input.subarray(at, at + size)
}

/** The header sums of an archive put right, so that more than the first header is read. */
function summed(input: Buffer): Buffer {
  const fixed = Buffer.from(input)
  for (let at = 0; at + 512 <= fixed.length; at += 512) {
    const block = fixed.subarray(at, at + 512)
    if (block.toString('latin1', 257, 262) !== 'ustar') continue
    block.fill(0x20, 148, 156)
    const sum = block.reduce((total, byte) => total + byte, 0)
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  }
  return fixed
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer | undefined> {
  try {
    return Buffer.concat(await Array.fromAsync(source))
  } catch (error) {
    if (isReason(error, 'InvalidSpec') || isReason(error, 'EngineError')) return undefined
    throw error
  }
}

const sentImage: Target = {
  name: 'sentimage',
  seeds: [
    savedImage,
    tar([file('index.json', '{"manifests":[{"annotations":{"n":"x"}}]}'), file('manifest.json', manifest)]),
  ],
  words: ['manifest.json', 'repositories', 'RepoTags', '../', 'ustar', '\0', '00000000010', 'x', 'L'],
  rounds: 500,
  run: async (input) => {
    for (const archive of [input, summed(input)]) {
      const written = await bytesOf(withoutNames(pieces(archive, 512)))
      const cut = await bytesOf(withoutNames(pieces(archive, 97)))
      hold((written === undefined) === (cut === undefined), 'it means the same however it is cut')
      if (written === undefined) continue
      hold(cut?.equals(written) === true, 'it means the same however it is cut')
      hold(written.length % 512 === 0, 'an archive is blocks')
      for await (const { name, content } of tarEntries(pieces(written, 4096))) {
        hold(!/(^|\/)\.\.?(\/|$)|^\//.test(name), 'no file is outside')
        hold(name !== 'repositories', 'names are left out')
        if (name !== 'manifest.json') continue
        const said: unknown = JSON.parse((await gatherBytes(content)).toString())
        const [image, ...more]: unknown[] = Array.isArray(said) ? said : []
        hold(
          isPlainObject(image) && image['RepoTags'] === null && more.length === 0,
          'one image, without a name',
        )
      }
    }
  },
}

const daemonJson: Target = {
  name: 'daemonjson',
  seeds: [
    '{\n  "log-driver": "local",\n  "insecure-registries": ["10.0.0.0/8"]\n}\n',
    '{"registry-mirrors":["https://m"],"dns":["1.1.1.1"]}',
    '',
  ],
  words: ['"insecure-registries"', '"registry-mirrors"', '"__proto__"', '[', ']', '{}'],
  run: (input) => {
    const text = input.toString()
    const parsed = parseFile(text)
    if (!parsed.ok) {
      hold(
        /^(at (line \d+ column \d+|position \d+)|from its beginning|it holds no object)$/.test(
          parsed.message,
        ),
        'nothing of a file is told',
      )
      return
    }
    settingsIn(parsed.content)
    const wish = { insecure: ['r.io:5000'], mirrors: ['https://m.io'] }
    const again = parseFile(withSettings(text, wish))
    hold(again.ok, 'what is written can be read')
    hold(sameJson(settingsIn(again.content), wish), 'what is written is what was wished for')
    const others = (content: Readonly<Record<string, unknown>>) =>
      Object.entries(content).filter(([key]) => !['insecure-registries', 'registry-mirrors'].includes(key))
    hold(sameJson(others(again.content), others(parsed.content)), 'all else stays')
  },
}

const engineImages: Target = {
  name: 'engineimages',
  seeds: [
    JSON.stringify([{ Id: someDigest, RepoTags: ['a:1'], RepoDigests: null, Size: 1, Created: 1 }]),
    JSON.stringify({ Id: someDigest, RootFS: { Layers: [someDigest] }, Created: '2026-01-01T00:00:00Z' }),
    JSON.stringify({
      LayersSize: 1,
      Images: [{ Id: 'a' }],
      Volumes: [{ Name: 'v', UsageData: { Size: -1 } }],
      BuildCache: [{ ID: 'b', LastUsedAt: '0001-' }],
      Containers: [{ Names: ['/a'], Created: 5 }],
    }),
    JSON.stringify({ id: '012345678901', status: 'Downloading', progressDetail: { current: 1, total: 2 } }),
    JSON.stringify([{ Untagged: 'a:1' }, { Deleted: someDigest }]),
    JSON.stringify({ errorDetail: { message: 'no' }, aux: { Digest: someDigest, Size: 5 } }),
    '{"stream":"Loaded image: a:1\\n"}',
  ],
  words: ['"Created"', '"RepoTags"', '"RootFS"', '"progressDetail"', 'null', '-1', '1e300', '<none>:<none>'],
  run: (input) => {
    const value = json(input)
    const entries = Array.isArray(value) ? value : [value]
    for (const entry of entries) {
      view.readImage(entry)
      view.readListedImage(entry)
      view.readPullProgress(entry)
      view.readStreamError(entry)
      view.readStatusLine(entry)
      view.readPushedDigest(entry)
      view.readPushedSize(entry)
      view.readLoaded(entry)
      view.readImageDetails(entry)
      view.readDiskUsage(entry)
    }
    view.readHistory(value)
    view.readRemoved(value)
    view.readPulled([input.toString()])
  },
}

const nodeAnswers: Target = {
  name: 'nodeimages',
  seeds: [
    JSON.stringify({
      items: [{ id: someDigest, references: ['a:1'], containers: [{ name: 'c', owner: {} }] }],
    }),
    '{"layer":"a","state":"Pulling","currentBytes":1}',
    '{"done":{"id":"a","references":["a:1"]}}',
    '{"error":{"kind":"Status","reason":"NotFound","code":404,"message":"m"}}',
    '{"removed":[{"what":"a","why":"b","bytes":1}],"kept":[],"failed":[],"reclaimedBytes":5}',
    '{"images":[{"id":"a"}],"volumes":[{"name":"v"}],"containers":[],"buildCache":[{"id":"c"}]}',
  ],
  words: ['"items"', '"owner"', '"error"', '"done"', '"code"', '"bytes"', 'null', '-1'],
  run: (input) => {
    const value = json(input)
    const readers = [
      decodeNodeImages,
      decodeHistory,
      decodeNodeDisk,
      decodeNodePrune,
      decodeNames,
      decodeFound,
    ]
    for (const read of [...readers, decodeTransferLine]) unless('InternalError', () => read(value))
  },
}

const pruneSpec: Target = {
  name: 'prunespec',
  seeds: [
    '{"images":{"dangling":true,"unused":true,"olderThan":"1h","keepLast":2,"references":["a*"],"selector":{"a":"b"}}}',
    '{"containers":{"exited":true,"unmanaged":true},"networks":{"unused":true},"volumes":{"anonymous":true},"buildCache":{"keepStorage":"1Gi"}}',
    '{"schedule":"@daily","disk":{"high":90,"low":80},"dryRun":true}',
  ],
  words: ['"images"', '"volumes"', '"anonymous"', '"named"', '"olderThan"', '"disk"', 'true', 'null'],
  rounds: 500,
  run: async (input) => {
    const clock = new ManualClock()
    const engine = new SimEngine({ clock })
    const { signal } = new AbortController()
    const request = {
      method: 'POST',
      path: '/prune',
      query: new URLSearchParams(),
      headers: {},
      body: input,
      signal,
    }
    let asked: object | undefined
    await nodePrune({
      engine,
      clock,
      usage: new UsageBook(engine, clock),
      request,
      nodeName: 'n1',
      ownerOf: () => undefined,
      prune: async (spec) => {
        asked = spec
        return { removed: [], kept: [], failed: [], reclaimedBytes: 0 }
      },
    })
    hold(asked !== undefined && !('disk' in asked), 'nobody who asks waits for a full disk')
  },
}

const useBook: Target = {
  name: 'usebook',
  seeds: [encodeBook(new Map([[someDigest, 5]])), '{"version":1,"images":{}}'],
  words: ['"version"', '"images"', '"__proto__"', '2026-01-01T00:00:00Z'],
  run: (input) => {
    if (json(input) === undefined) return
    const book = new Map(decodeBook(input.toString()))
    const again = new Map(decodeBook(encodeBook(book)))
    hold(sameJson([...again], [...book]), 'what is kept is what is read')
  },
}

const goTemplate: Target = {
  name: 'gotemplate',
  seeds: [
    '{{.ID}}\\t{{.Repository}}:{{.Tag}}',
    '{{range .Items}}{{json .}}{{end}}',
    '{{if eq .A "b"}}x{{else}}y{{end}}',
  ],
  words: ['{{', '}}', 'range ', 'if ', 'else', 'end', 'json ', '.', '"', '|', 'index ', '-'],
  run: (input) => {
    try {
      const render = compileTemplate(input.toString(), { command: 'image ls' })
      render({ ID: 'a', Items: [{ A: 'b' }, { A: null }], A: 'b', B: { C: [1, 2] } })
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
    }
  },
}

export const imageTargets: readonly Target[] = [
  dockerConfig,
  registryHeader,
  registryAnswer,
  sentImage,
  daemonJson,
  engineImages,
  nodeAnswers,
  pruneSpec,
  useBook,
  goTemplate,
]
