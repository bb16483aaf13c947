import test from 'ava'
import { makeRuleChecker } from '#pkg/apis/cel.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { checkManifests } from '#pkg/manifest/check.ts'
import { decodeManifest } from '#pkg/manifest/decode.ts'
import { problemText } from '#pkg/manifest/place.ts'
import { parseArgs } from '../args.ts'
import { buildFlags } from './flags.ts'
import { type BuildWords, buildManifests } from './manifest.ts'
import { placeOf } from './place.ts'

const rules = makeRuleChecker()

/** The objects, checked as they would be applied. */
function made(line: string, more: Partial<BuildWords> = {}): Record<string, unknown>[] {
  const args = parseArgs(line.split(' '), buildFlags, { command: 'build' })
  const objects = buildManifests({
    args,
    place: placeOf(args.positionals[0] ?? ''),
    cwd: '/srv/shop',
    env: { TOKEN: 'hush', V: '3' },
    secretFiles: new Map(),
    ...more,
  })
  for (const object of objects) {
    const { documents } = decodeManifest({ name: '-', text: JSON.stringify(object) })
    const { problems } = checkManifests(documents, { kinds, rules, defaultNamespace: 'default' })
    if (problems.length > 0) throw new Error(problems.map(problemText).join('\n'))
  }
  return objects
}

function built(line: string, more: Partial<BuildWords> = {}) {
  const object = made(line, more).at(-1)
  return { name: Object(object?.['metadata']).name, spec: object?.['spec'] }
}

const folder = { path: '/srv/shop' }

const lines: Readonly<Record<string, ReturnType<typeof built>>> = {
  '.': { name: 'shop', spec: { context: folder } },
  '-t reg.example:5000/shop/web:2 -t web .': {
    name: 'web',
    spec: { context: folder, tags: ['reg.example:5000/shop/web:2', 'web'] },
  },
  '--name x --target build --platform linux/amd64 --node n1 .': {
    name: 'x',
    spec: { context: folder, target: 'build', platform: 'linux/amd64', nodeName: 'n1' },
  },
  '--build-arg A=1=2 --build-arg V --build-arg NONE --label a= .': {
    name: 'shop',
    spec: { context: folder, args: { A: '1=2', V: '3' }, labels: { a: '' } },
  },
  '--build-arg TOKEN --build-arg CACHE_KEY=1 --public-arg TOKEN --public-arg TOKEN .': {
    name: 'shop',
    spec: { context: folder, args: { TOKEN: 'hush', CACHE_KEY: '1' }, publicArgs: ['TOKEN'] },
  },
  '-f Dockerfile.php web': {
    name: 'web',
    spec: { context: { path: '/srv/shop/web' }, dockerfile: '../Dockerfile.php' },
  },
  '-f b/Dockerfile ./ctx.tar.gz': {
    name: 'ctx',
    spec: { context: { path: '/srv/shop/ctx.tar.gz' }, dockerfile: 'b/Dockerfile' },
  },
  '--network bridge --cache-from a:1 --no-cache --pull .': {
    name: 'shop',
    spec: { context: folder, network: 'default', cacheFrom: ['a:1'] },
  },
  '--push -t reg:5000/app .': {
    name: 'app',
    spec: { context: folder, tags: ['reg:5000/app'], push: [{ reference: 'reg:5000/app' }] },
  },
  '--secret id=t,secret=s,key=k --secret id=u,secret=s .': {
    name: 'shop',
    spec: {
      context: folder,
      secrets: [
        { id: 't', secret: 's', key: 'k' },
        { id: 'u', secret: 's', key: 'u' },
      ],
    },
  },
  'https://h/tool.git#v1:cmd': {
    name: 'cmd',
    spec: { context: { git: { url: 'https://h/tool.git', ref: 'v1', subdirectory: 'cmd' } } },
  },
  'http://h/ctx.tgz': { name: 'ctx', spec: { context: { tar: { url: 'http://h/ctx.tgz' } } } },
}

for (const [line, expected] of Object.entries(lines))
  test(`\`cove build ${line}\` is a Build as it says`, (t) => {
    t.deepEqual(built(line), expected)
  })

test('a Dockerfile from standard input has no context, or that of the path', (t) => {
  const dockerfile = 'FROM scratch\n'
  const { name, spec } = built('-', { dockerfile })
  t.deepEqual(spec, { context: { empty: {} }, dockerfileInline: dockerfile })
  t.regex(name, /^build-[0-9a-f]{8}$/)
  t.is(built('-', { dockerfile }).name, name)
  t.not(built('-', { dockerfile: 'FROM x\n' }).name, name)
  t.deepEqual(built('-f - .', { dockerfile }), {
    name: 'shop',
    spec: { context: folder, dockerfileInline: dockerfile },
  })
})

test('an archive from standard input is a context', (t) => {
  const archive = { path: '/tmp/x/context.tar', digest: 'abc' }
  t.deepEqual(built('-t a -', { archive }).spec, { context: { path: archive.path }, tags: ['a'] })
})

test('secrets of this machine become a Secret of the Build', (t) => {
  const secretFiles = new Map([['key.pem', Buffer.from([0, 255])]])
  const [secret, build] = made('--secret id=t,env=TOKEN --secret id=k,src=key.pem .', { secretFiles })
  t.like(secret, { kind: 'Secret', data: { t: 'aHVzaA==', k: 'AP8=' } })
  t.like(build, {
    spec: {
      secrets: [
        { id: 't', secret: 'shop-build', key: 't' },
        { id: 'k', secret: 'shop-build', key: 'k' },
      ],
    },
  })
})

const refused: Readonly<Record<string, RegExp>> = {
  '--push .': /--push needs --tag/,
  '--build-arg =1 .': /NAME=VALUE is expected/,
  '--secret src=x .': /id=ID is expected/,
  '--public-arg TOKEN=x .': /the name alone is expected, its value by --build-arg/,
  '--secret id=x,mode=1 .': /there is no "mode"/,
  '--secret id=x,env=NOPE .': /there is no variable NOPE here/,
  '-t UPPER .': /invalid value "UPPER" for --tag/,
  '--squash 1 .': /COPY --from takes only what is needed/,
  '--memory 1g .': /there is no --memory here/,
  '-f a -f b .': /one Dockerfile is expected/,
}

for (const [line, message] of Object.entries(refused))
  test(`\`cove build ${line}\` is refused with what to do`, (t) => {
    t.throws(() => made(line), { message })
  })
