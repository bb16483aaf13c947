import test from 'ava'
import { parseYaml } from '#pkg/manifest/yaml.ts'
import { convert } from './project.ts'

/** What a Compose file becomes: the manifests, and each note as a line. */
function converted(
  text: string,
  more: { files?: Record<string, string>; profiles?: readonly string[] } = {},
) {
  const { manifests, notes } = convert({
    compose: parseYaml(text),
    name: 'shop',
    directory: '/srv/shop',
    home: '/home/me',
    profiles: new Set(more.profiles),
    variables: (name) => ({ PASSWORD: 'geheim' })[name],
    files: new Map(Object.entries(more.files ?? {})),
  })
  // biome-ignore lint/suspicious/noExplicitAny: manifests of every shape
  return { manifests: manifests as any[], notes: notes.map(({ where, text }) => `${where}: ${text}`) }
}

/** The spec that one service becomes. */
const specOf = (service: string) => converted(`services: {web: ${service}}`).manifests.at(-1).spec

test('a service becomes a Container in a network of the project', (t) => {
  const { manifests, notes } = converted('services: {web: {image: nginx, restart: always}}')
  t.deepEqual(manifests, [
    { apiVersion: 'cove.run/v1', kind: 'Network', metadata: { name: 'shop-default' }, spec: {} },
    {
      apiVersion: 'cove.run/v1',
      kind: 'Container',
      metadata: { name: 'web' },
      spec: {
        image: 'nginx',
        restartPolicy: 'Always',
        networks: [{ name: 'shop-default', aliases: ['web'] }],
      },
    },
  ])
  t.deepEqual(notes, [])
})

test('every key has one place', (t) => {
  const table: readonly [string, object][] = [
    ['{command: sh -c "a b"}', { args: ['sh', '-c', 'a b'] }],
    ['{entrypoint: [a, b]}', { command: ['a', 'b'] }],
    [
      '{ports: ["127.0.0.1:80:8080/udp"]}',
      { ports: [{ containerPort: 8080, hostPort: 80, hostIP: '127.0.0.1', protocol: 'UDP' }] },
    ],
    [
      '{ports: ["80-81:90-91"]}',
      {
        ports: [
          { containerPort: 90, hostPort: 80 },
          { containerPort: 91, hostPort: 81 },
        ],
      },
    ],
    ['{ports: [{target: 80, published: "8080"}]}', { ports: [{ containerPort: 80, hostPort: 8080 }] }],
    ['{healthcheck: {test: [CMD, a], retries: 2}}', { healthcheck: { command: ['a'], retries: 2 } }],
    ['{healthcheck: {disable: true}}', { healthcheck: { disabled: true } }],
    ['{stop_grace_period: 1m30s}', { terminationGracePeriodSeconds: 90 }],
    ['{mem_limit: 512m, cpus: 0.5}', { resources: { limits: { memory: '512Mi', cpu: '0.5' } } }],
    [
      '{cap_add: [CAP_NET_ADMIN], read_only: true}',
      { securityContext: { capabilities: { add: ['NET_ADMIN'] }, readOnlyRootFilesystem: true } },
    ],
    ['{security_opt: ["no-new-privileges:true"]}', { securityContext: { allowPrivilegeEscalation: false } }],
    ['{network_mode: "service:db"}', { networkMode: 'container:db' }],
    ['{extra_hosts: {a: 1.2.3.4}}', { extraHosts: ['a:1.2.3.4'] }],
    ['{dns: 1.1.1.1, dns_search: [a]}', { dns: { servers: ['1.1.1.1'], searches: ['a'] } }],
    ['{ulimits: {nofile: {soft: 1, hard: 2}}}', { ulimits: { nofile: '1:2' } }],
    ['{tmpfs: "/run:size=64m"}', { mounts: [{ tmpfs: { sizeLimit: '64Mi' }, mountPath: '/run' }] }],
    [
      '{volumes: ["./a:/b:ro", "~/c:/d"]}',
      {
        mounts: [
          { hostPath: '/srv/shop/a', mountPath: '/b', readOnly: true },
          { hostPath: '/home/me/c', mountPath: '/d' },
        ],
      },
    ],
    ['{volumes: ["data:/data"]}', { mounts: [{ volume: 'data', mountPath: '/data' }] }],
    [
      '{environment: [A=1, PASSWORD]}',
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'PASSWORD', value: 'geheim' },
        ],
      },
    ],
    ['{deploy: {update_config: {order: start-first}}}', { update: { order: 'StartFirst' } }],
  ]
  for (const [service, expected] of table) t.like(specOf(service), expected, service)
})

test('what has no counterpart is told with its place', (t) => {
  const { notes } = converted(`
services:
  web:
    image: nginx
    build: {ssh: [default]}
    gpus: all
    restart: on-failure:3
    ports: ["80:80", "81:80"]
    deploy: {placement: {}}
  late: {image: a, profiles: [more]}
include: [other.yaml]`)
  t.deepEqual(notes, [
    'include: has no counterpart',
    'services.late: left out: it needs --profile more',
    'services.web.build.ssh: has no counterpart',
    'services.web.gpus: has no counterpart',
    'services.web.restart: there is no bound of 3 restarts; they back off up to 5 minutes',
    'services.web.ports: 80/TCP is published 2 times; only the first is taken over',
    'services.web.deploy: placement has no counterpart',
  ])
})

test('configs and secrets become objects with the content of their files', (t) => {
  const { manifests } = converted(
    `
services: {web: {image: a, secrets: [pw], configs: [{source: site, target: /etc/site.conf}]}}
secrets: {pw: {environment: PASSWORD}}
configs: {site: {file: ./site.conf}}`,
    { files: { '/srv/shop/site.conf': 'x=1' } },
  )
  t.like(manifests[1], { kind: 'ConfigMap', metadata: { name: 'shop-site' }, data: { site: 'x=1' } })
  t.like(manifests[2], { kind: 'Secret', metadata: { name: 'shop-pw' }, stringData: { pw: 'geheim' } })
  t.deepEqual(manifests[3].spec.mounts, [
    { configMap: 'shop-site', subPath: 'site', mountPath: '/etc/site.conf', readOnly: true },
    { secret: 'shop-pw', subPath: 'pw', mountPath: '/run/secrets/pw', readOnly: true },
  ])
})

test('who depends on whom is kept, and a name that is none is changed', (t) => {
  const { manifests, notes } = converted(`
services:
  web: {image: a, container_name: My_Web, depends_on: {db: {condition: service_healthy}, gone: {}}}
  db: {image: b, deploy: {replicas: 2}}`)
  t.deepEqual(
    manifests.filter(({ kind }) => kind === 'Container').map(({ metadata }) => metadata.name),
    ['my-web', 'db-1', 'db-2'],
  )
  t.deepEqual(manifests[1].spec.dependsOn, [
    { container: 'db-1', condition: 'Healthy' },
    { container: 'db-2', condition: 'Healthy' },
  ])
  t.deepEqual(notes, [
    'services.web.depends_on: gone is not converted, so nothing waits for it',
    'services.web: is called my-web here',
    'services.db: becomes 2 Containers',
  ])
})

test('what a service is built of becomes a Build, and its Container follows that', (t) => {
  const { manifests, notes } = converted(
    `
services:
  web:
    build:
      context: ./src
      dockerfile: ../Dockerfile.web
      args: [V=1, PASSWORD, NOWHERE]
      target: run
      secrets: [token, {source: token, target: other}]
      cache_from: [team/cache, "type=registry,ref=team/more", "type=gha"]
      labels: {a: b}
      no_cache: true
      platforms: [linux/amd64, linux/arm64]
      tags: [team/web:1]
      network: host
  worker: {image: shop-web, command: work}
  api: {build: "https://git.example.com/x.git#main:api", image: "team/api:2"}
  inner: {build: {dockerfile_inline: "FROM scratch"}}
secrets: {token: {file: ./token}}`,
    { files: { '/srv/shop/token': 'geheim' } },
  )
  const of = (kind: string) => manifests.filter((manifest) => manifest.kind === kind)
  const [web, api, inner] = of('Build')
  t.deepEqual(web.metadata, { name: 'web' })
  t.deepEqual(web.spec, {
    context: { path: '/srv/shop/src' },
    dockerfile: '../Dockerfile.web',
    target: 'run',
    cacheFrom: ['team/cache', 'team/more'],
    labels: { a: 'b' },
    noCache: true,
    platform: 'linux/amd64',
    network: 'host',
    args: { V: '1', PASSWORD: 'geheim' },
    tags: ['shop-web', 'team/web:1'],
    secrets: [
      { id: 'token', secret: 'shop-token', key: 'token' },
      { id: 'other', secret: 'shop-token', key: 'token' },
    ],
  })
  t.deepEqual(api.spec, {
    context: { git: { url: 'https://git.example.com/x.git', ref: 'main', subdirectory: 'api' } },
    tags: ['team/api:2'],
  })
  t.deepEqual(inner.spec, {
    context: { path: '/srv/shop' },
    dockerfileInline: 'FROM scratch',
    tags: ['shop-inner'],
  })
  t.deepEqual(of('Secret')[0].stringData, { token: 'geheim' })
  t.deepEqual(
    of('Container').map(({ metadata, spec }) => [metadata.name, spec.imageFrom, spec.image]),
    [
      ['web', { build: 'web' }, undefined],
      ['worker', { build: 'web' }, undefined],
      ['api', { build: 'api' }, undefined],
      ['inner', { build: 'inner' }, undefined],
    ],
  )
  t.deepEqual(notes, [
    'services.web.build.cache_from: "type=gha" has no counterpart: only images are taken as cache',
    'services.web.build.platforms: an image is built for one platform: linux/amd64',
    'services.web.build.args: PASSWORD is called like a secret, and such a Build is refused: give it by build.secrets, or name it in build.x-cove-public-args when it is none',
  ])
})

test('an argument that is called like a secret is said to be public by an extension of Compose', (t) => {
  for (const names of ['[PASSWORD]', 'PASSWORD']) {
    const { manifests, notes } = converted(
      `services: {web: {build: {context: ., args: [PASSWORD], x-cove-public-args: ${names}, x-other: 1}}}`,
    )
    const { spec } = manifests.find(({ kind }) => kind === 'Build') ?? {}
    t.deepEqual(spec, {
      context: { path: '/srv/shop' },
      args: { PASSWORD: 'geheim' },
      publicArgs: ['PASSWORD'],
      tags: ['shop-web'],
    })
    t.deepEqual(notes, [])
  }
  t.throws(() => converted('services: {web: {build: {x-cove-public-args: {A: 1}}}}'), {
    message: 'services.web.build.x-cove-public-args: want text, found {"A":1}',
  })
})

test('services that build one image alike share its Build, and others cannot', (t) => {
  const { manifests } = converted('services: {aa: {build: ., image: x}, bb: {build: {context: .}, image: x}}')
  t.is(manifests.filter(({ kind }) => kind === 'Build').length, 1)
  t.deepEqual(manifests.at(-1).spec.imageFrom, { build: 'aa' })
  t.throws(() => converted('services: {aa: {build: ., image: x}, bb: {build: ./b, image: x}}'), {
    message: 'services.bb: x is built by service aa in another way: give it another name under image',
  })
})

test('a wrong value is told with its place', (t) => {
  t.throws(() => converted('services: {web: {image: a, ports: 80}}'), {
    message: 'services.web.ports: want a list, found 80',
  })
  t.throws(() => converted("services: {web: {command: 'a \"b'}}"), {
    message: 'services.web.command: want a command with closed quotes, found "a \\"b"',
  })
  t.throws(() => converted('services: {}'), { message: 'services: there is none to convert' })
})

test('no file makes more Containers or ports than there can be', (t) => {
  for (const count of ['deploy: {replicas: 99999999999}', 'scale: -1'])
    t.throws(() => converted(`services: {web: {image: x, ${count}}}`), { message: /cannot be written out/ })
  const { notes } = converted(
    'services: {web: {image: x, ports: ["1-99999999999"], __proto__: y, constructor: z}}',
  )
  t.deepEqual(notes, [
    'services.web.ports: "1-99999999999" is no port that is understood',
    'services.web.__proto__: has no counterpart',
    'services.web.constructor: has no counterpart',
  ])
})
