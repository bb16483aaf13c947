/**
 * Fuzz targets of what engines, nodes and people say of containers: an engine's answers and what is made of them, a node's
 * looks, labels, the copy on a node's disk, a docker run's words, Compose files.
 */
import { adoptionOf } from '#pkg/agent/adoption.ts'
import { planNode } from '#pkg/agent/node.plan.ts'
import { decodeCopy, encodeCopy } from '#pkg/agent/nodecopy.ts'
import { sealCopy, unsealCopy } from '#pkg/agent/nodecopyfile.ts'
import { type Probe, pauseBeforeProbe, readProbe, writeProbe } from '#pkg/agent/probe.ts'
import { reportContainer } from '#pkg/agent/status.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { sameJson } from '#pkg/apimachinery/hash.ts'
import {
  decodeAdoptables,
  decodeChanges,
  decodeNodeContainers,
  decodeNodeUsages,
  decodePorts,
  decodeProcesses,
  decodeUsage,
  type NodeUsage,
} from '#pkg/apis/looks.ts'
import { parseArgs } from '#pkg/cli/args.ts'
import { neededFiles } from '#pkg/cli/compose/environment.ts'
import { interpolate, parseEnvFile } from '#pkg/cli/compose/interpolate.ts'
import { convert } from '#pkg/cli/compose/project.ts'
import { CliError, UsageError } from '#pkg/cli/errors.ts'
import { runFlags } from '#pkg/cli/run/flags.ts'
import { runManifests } from '#pkg/cli/run/manifest.ts'
import { readChanges, readListed, readProcesses, readSample } from '#pkg/engine/dockerlooksview.ts'
import { readImageConfig } from '#pkg/engine/dockersettings.ts'
import { readContainer } from '#pkg/engine/dockerview.ts'
import { object } from '#pkg/engine/json.ts'
import { parseYaml, writeYaml } from '#pkg/manifest/yaml.ts'
import { container, world } from '../helpers/world.ts'
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

const inspected = {
  Id: 'a'.repeat(64),
  Name: '/web',
  Image: 'sha256:1',
  Created: '2026-01-01T00:00:00Z',
  State: {
    Status: 'running',
    Pid: 1,
    StartedAt: '2026-01-01T00:00:01Z',
    FinishedAt: '0001-01-01T00:00:00Z',
    Health: {
      Status: 'unhealthy',
      FailingStreak: 2,
      Log: [{ Start: '', End: '', ExitCode: 1, Output: 'x' }],
    },
  },
  Mounts: [
    { Type: 'bind', Source: '/a', Destination: '/b', RW: true },
    { Type: 'volume', Name: 'v' },
  ],
  Config: {
    Image: 'app:1',
    Hostname: 'h',
    Env: ['A=1', 'constructor=x', '=', 'B'],
    Cmd: ['run'],
    Labels: { 'cove.run/probe': '{"check":{"type":"tcp","port":1}}', constructor: 'x' },
    ExposedPorts: { '80/tcp': {} },
    Volumes: { '/data': {} },
    Healthcheck: { Test: ['CMD', 'x'], Interval: 1 },
    StopSignal: 'SIGTERM',
  },
  HostConfig: {
    NetworkMode: 'bridge',
    PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
    LogConfig: { Type: 'json-file', Config: { constructor: '1' } },
    Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
    Devices: [{ PathOnHost: '/dev/x', PathInContainer: '/dev/x', CgroupPermissions: 'rwm' }],
    Sysctls: { 'net.a': '1' },
    ExtraHosts: ['a:1.2.3.4'],
    Dns: ['1.1.1.1'],
    Links: ['/a:/web/b'],
    CapAdd: ['ALL'],
    SecurityOpt: ['seccomp=unconfined'],
    RestartPolicy: { Name: 'always' },
    Memory: 1,
    NanoCpus: 1,
    ShmSize: 64,
  },
  NetworkSettings: {
    Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '80' }], '81/udp': null },
    Networks: { bridge: { IPAddress: '1.2.3.4', Aliases: ['x'] } },
  },
}

/** Whatever an engine says of a container, the node goes on, and a Container that has to do with it has a status. */
const engineContainer: Target = {
  name: 'enginecontainer',
  seeds: [JSON.stringify(inspected), JSON.stringify({ ...inspected, HostConfig: null, Mounts: null })],
  words: [
    '"Config":',
    '"HostConfig":',
    '"constructor"',
    '[null]',
    '{}',
    '"80/tcp"',
    '"container:"',
    '1e99',
    '"0/"',
  ],
  rounds: 800,
  run: (input) => {
    const answer = json(input)
    if (answer === undefined) return
    const found = readContainer(answer)
    const image = readImageConfig(object(answer, 'Config'))
    const adoption = adoptionOf({
      found,
      image,
      namespace: 'default',
      nodeName: 'n1',
      nameOf: () => undefined,
    })
    JSON.stringify(adoption)
    const logging = { driver: 'json-file', options: { constructor: 'x' } }
    const env = [{ name: '__proto__', value: 'x' }]
    for (const spec of [{ adopt: 'a'.repeat(64) }, { logging, env }]) {
      const web = container('web', spec)
      const around = world({ objects: [web], containers: [found], imageConfigs: { [found.imageID]: image } })
      for (const decision of planNode(around).decisions.values()) {
        hold(decision.waiting?.reason !== 'PlannerError', `the planner says ${decision.waiting?.message}`)
        reportContainer({ container: web, decision, world: around, lastAction: undefined })
      }
    }
  },
}

/** Of an engine, read by the node; and of a node, read by the server and by commands. */
const looks: Target = {
  name: 'looks',
  seeds: [
    JSON.stringify({
      Id: 'a',
      Names: ['/web'],
      State: 'running',
      Status: 'Up 2 hours (healthy)',
      Ports: [{ PrivatePort: 80, Type: 'tcp' }],
      Labels: {},
    }),
    JSON.stringify({ Titles: ['PID', 'CMD'], Processes: [['1', 'run']] }),
    JSON.stringify({
      read: '2026-01-01T00:00:00Z',
      cpu_stats: { cpu_usage: { total_usage: 1 } },
      memory_stats: { usage: 2, limit: 3, stats: { cache: 1 } },
      networks: { eth0: { rx_bytes: 1 } },
      blkio_stats: { io_service_bytes_recursive: [{ op: 'Read', value: 1 }] },
    }),
    JSON.stringify([{ Path: '/a', Kind: 0 }]),
    JSON.stringify({
      node: { time: '2026-01-01T00:00:00Z', windowMs: 1, cpu: 1, memoryBytes: 1 },
      items: [{ namespace: 'a', name: 'b', usage: {} }],
    }),
    JSON.stringify({ items: [{ id: 'a', owner: { type: 'Nobody' }, manifests: [], notes: [] }] }),
  ],
  words: ['"items":', '"node":', '"usage":', '[null]', '{}', '-1', '1e999', '"owner":', '"Processes":'],
  run: (input) => {
    const answer = json(input)
    if (answer === undefined) return
    JSON.stringify(readListed(answer))
    JSON.stringify(readProcesses(answer))
    const sample = readSample(answer)
    hold(sample === undefined || Number.isFinite(sample.cpuNanoseconds), 'what is used is a number')
    readChanges(answer)
    const decoders = [decodeProcesses, decodeChanges, decodePorts, decodeNodeContainers, decodeAdoptables]
    for (const decode of decoders) byNode(() => decode(answer))
    byNode(() => isUsage(decodeUsage(answer)))
    byNode(() => isUsage(decodeNodeUsages(answer).node))
  },
}

/** What a node says wrong is its own fault, and told as such. */
function byNode(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!isReason(error, 'InternalError')) throw error
  }
}

/** As kubectl reads them: one that it cannot read would cost it the whole list. */
function isUsage({ cpu, memoryBytes, windowMs, time }: NodeUsage): void {
  const isAmount = (value: number) => Number.isSafeInteger(Math.round(value)) && value >= 0
  hold([cpu, memoryBytes, windowMs].every(isAmount), 'what is used is an amount')
  hold(!Number.isNaN(Date.parse(`${time.slice(0, 19)}Z`)), 'when it was is a time')
}

const usual: Probe = {
  check: { type: 'http', scheme: 'HTTP', port: 80, path: '/', headers: { Host: 'x' } },
  interval: 30_000,
  timeout: 1000,
  retries: 3,
  startPeriod: 0,
  startInterval: 5000,
}

const probeLabel: Target = {
  name: 'probelabel',
  seeds: [writeProbe(usual), writeProbe({ ...usual, check: { type: 'tcp', port: 1 } }), ''],
  words: ['"port":', '"interval":', '"check":', '"headers":', '0', '1e9', '-1', '0.5', 'null', '[]'],
  run: (input) => {
    const probe = readProbe(input.toString())
    if (probe === undefined) return
    const { check, retries } = probe
    hold(Number.isInteger(check.port) && check.port > 0 && check.port < 65_536, 'a port is one')
    hold(Number.isSafeInteger(retries), 'retries are counted')
    for (const status of ['starting', 'healthy'] as const)
      hold(
        pauseBeforeProbe(status, probe, { startedAt: 0, now: 0 }) >= 100,
        'there is a pause between checks',
      )
    hold(sameJson(readProbe(writeProbe(probe)), probe), 'a written probe reads as it was')
  },
}

const key = Buffer.alloc(32, 7)
const named = { Secret: {}, ConfigMap: {}, Volume: {}, Network: {}, Image: {} }
const placed = { containers: [], volumes: [], networks: [], images: [], builds: [] }
const desired = { ...placed, registries: [], prunePolicies: [], nodes: [], named }
const copy = { nodeName: 'n1', clusterID: 'c', desired, statuses: {}, events: [] }
const text = encodeCopy(copy)
const sealed = sealCopy(key, text)

const nodeCopy: Target = {
  name: 'nodecopy',
  seeds: [sealed, sealed.subarray(0, 40), text, text.replace('"n1"', '"n2"')],
  words: ['cove node copy v1\n', '"format":3', '"named":', '{}', '[]', 'null'],
  run: (input) => {
    refused(() => {
      const opened = unsealCopy(key, input)
      hold(opened === text, 'only what was sealed opens')
    })
    refused(() => {
      const { desired: found, clusterID } = decodeCopy(input.toString(), 'n1')
      hold(clusterID !== '' && Array.isArray(found.containers), 'what is read is a copy')
    })
  },
}

/** Runs what may only complain to the person at the command line. */
function refused(work: () => void): void {
  try {
    work()
  } catch (error) {
    const isTold = error instanceof UsageError || error instanceof CliError
    const { code } = Object(error)
    if (!isTold && !(typeof code === 'number' && code >= 400 && code < 500)) throw error
  }
}

const dockerRun: Target = {
  name: 'dockerrun',
  seeds: [
    '-it\n--rm\n-p\n127.0.0.1:8080-8081:80-81/udp\n-v\n/a:/b:ro,z\n-e\nA=1\nbb\nsh',
    '--mount\ntype=bind,source=/a,target=/b,readonly\n--tmpfs\n/t:size=1m\n--link\na:b\nbb',
    '--memory\n64m\n--cpus\n.5\n--ulimit\nnofile=1:2\n--sysctl\na.b=1\n--log-opt\nmax-size=1m\nbb',
    '--health-cmd\nx\n--health-interval\n1s\n--restart\non-failure:3\n--network\ncontainer:x\nbb',
    '--label\na=b\n--device\n/dev/x:/dev/y:rwm\n--add-host\na:1.2.3.4\n--cap-add\nALL\n--security-opt\nx=y\nbb',
  ],
  words: [
    '\n',
    '-',
    '--',
    '=',
    ':',
    ',',
    '/',
    '-p\n',
    '-v\n',
    '-e\n',
    '--mount\n',
    '[::1]',
    '-65535',
    '0-99999',
    '__proto__=x',
  ],
  maxBytes: 4096,
  rounds: 500,
  run: (input) => {
    const words = input.toString().split('\n')
    refused(() => {
      const args = parseArgs(words, runFlags, { command: 'run', firstEnds: true })
      const made = runManifests({
        args,
        name: 'web',
        env: { A: '1' },
        directory: '/here',
        envFiles: [input.toString()],
      })
      writeYaml(made.container)
    })
  },
}

const compose: Target = {
  name: 'compose',
  seeds: [
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: as Compose writes variables
    'services:\n  web:\n    image: ${IMAGE:-app:${TAG-1}}\n    ports: ["127.0.0.1:80-81:80-81/udp", 8080]\n    volumes: [data:/d:ro, ./a:/b]\n    environment: [A=1, B]\n    env_file: .env\nvolumes: {data: {}}\n',
    'name: $NAME\nservices:\n  a: {command: sh -c "a \'b\' c", depends_on: {b: {condition: service_healthy}}, deploy: {replicas: 2}}\n  b: {entrypoint: [a], healthcheck: {test: [CMD, x], interval: 1m}, networks: {n: {aliases: [x]}}}\nnetworks: {n: {driver: bridge, ipam: {config: [{subnet: 10.0.0.0/8}]}}}\n',
    'services: {web: {image: x, secrets: [{source: s, target: t}], configs: [c]}}\nsecrets: {s: {file: ./s}}\nconfigs: {c: {content: "$$x ${A:?no}"}}\n',
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: as Compose writes variables
  ],
  words: [
    '${',
    '}',
    ':-',
    ':?',
    ':+',
    '$',
    '$$',
    'services:',
    'image: x',
    'ports: [',
    '__proto__:',
    'constructor:',
    '&a',
    '*a',
    '-65535',
    '/udp',
  ],
  rounds: 1000,
  run: (input) => {
    const source = input.toString()
    const variables = (name: string) => ({ IMAGE: 'x', NAME: 'shop' })[name]
    refused(() => parseEnvFile(source, variables))
    refused(() => {
      const { value } = interpolate(parseYaml(source), variables)
      const around = { compose: value, directory: '/srv/shop', home: '/home/me' }
      const files = new Map([...neededFiles(around)].map((file) => [file, 'A=1'] as const))
      const made = convert({ ...around, name: 'shop', profiles: new Set<string>(), variables, files })
      for (const manifest of made.manifests)
        hold(sameJson(parseYaml(writeYaml(manifest)), manifest), 'a written manifest reads as it was')
    })
  },
}

export const containerTargets: readonly Target[] = [
  engineContainer,
  looks,
  probeLabel,
  nodeCopy,
  dockerRun,
  compose,
]
