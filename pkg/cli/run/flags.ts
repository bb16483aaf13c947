/** Flags of `cove run` and `cove create`: Docker's, and for each one that Cove does not have, what to do instead. */
import type { Flag } from '../args.ts'
import { bool, list, text } from '../flagmakers.ts'

const process: readonly Flag[] = [
  text('name', 'NAME', 'Name of the Container (default: two random words)'),
  bool('interactive', 'Keep standard input open, and pass it on', 'i'),
  bool('tty', 'Give it a terminal', 't'),
  list('env', 'NAME[=VALUE]', 'A variable; without a value, with that of the same name here', 'e'),
  list('env-file', 'FILE', 'Variables from a file, one NAME=VALUE per line'),
  text('entrypoint', 'PROGRAM', "Replaces the image's ENTRYPOINT, and drops its CMD"),
  text('workdir', 'DIRECTORY', 'Working directory', 'w'),
  text('user', 'USER[:GROUP]', 'User, by name or number', 'u'),
  text('hostname', 'NAME', 'Host name inside', 'h'),
  bool('init', 'Run an init process as PID 1'),
  text('stop-signal', 'SIGNAL', 'Signal that asks it to end'),
  text('stop-timeout', 'SECONDS', 'Time between the stop signal and SIGKILL (default 10)'),
  list('label', 'KEY=VALUE', 'A label of the Container', 'l'),
  list('annotation', 'KEY=VALUE', 'An annotation of the Container'),
]

const life: readonly Flag[] = [
  bool('rm', 'Delete the Container when it has ended'),
  text('restart', 'POLICY', 'no (default), always, unless-stopped or on-failure'),
  {
    ...text('pull', 'WHEN', 'When to pull the image: always, missing or never'),
    oneOf: ['always', 'missing', 'never'],
  },
  text('health-cmd', 'COMMAND', 'Command line that tells whether it works'),
  text('health-interval', 'DURATION', 'Time between two checks'),
  text('health-timeout', 'DURATION', 'A check that runs longer has failed'),
  text('health-retries', 'NUMBER', 'So many failures in a row mean unhealthy'),
  text('health-start-period', 'DURATION', 'Failures in this time after the start do not count'),
  text('health-start-interval', 'DURATION', 'Time between checks during the start period'),
  bool('no-healthcheck', 'Switch the HEALTHCHECK of the image off'),
  text('node', 'NAME', 'The node it runs on (default: placement chooses)'),
]

const surroundings: readonly Flag[] = [
  list('publish', '[IP:][HOST:]PORT[/PROTOCOL]', 'Publish a port, or a range of them, on the node', 'p'),
  bool('publish-all', 'Publish every port that the image exposes', 'P'),
  list(
    'volume',
    'NAME|/PATH:/PATH[:ro]',
    'Mount a Volume, made when it does not exist, or a path of the node',
    'v',
  ),
  list('mount', 'KEY=VALUE,...', 'Mount with type=bind|volume|tmpfs,source=,target=,readonly'),
  list('tmpfs', '/PATH[:size=SIZE]', 'Mount an empty directory in memory'),
  list('network', 'NAME', 'A Network to join, or host, none, bridge, container:NAME'),
  list('net', 'NAME', 'The same as --network'),
  list('network-alias', 'NAME', 'A further name in the Network'),
  list('net-alias', 'NAME', 'The same as --network-alias'),
  list('add-host', 'NAME:ADDRESS', 'A further line of /etc/hosts'),
  list('dns', 'ADDRESS', 'A name server'),
  list('dns-search', 'DOMAIN', 'A domain in which short names are looked up'),
  list('dns-option', 'OPTION', 'An option of the resolver'),
  list('dns-opt', 'OPTION', 'The same as --dns-option'),
  list('link', 'NAME[:ALIAS]', 'A legacy link to another Container'),
  text('log-driver', 'DRIVER', "Logging driver of the node's engine"),
  list('log-opt', 'KEY=VALUE', 'An option of the logging driver'),
]

const rights: readonly Flag[] = [
  text('memory', 'SIZE', 'Most memory: 64m, 1g', 'm'),
  text('cpus', 'NUMBER', 'Most cores: 0.5'),
  text('pids-limit', 'NUMBER', 'Most processes at once'),
  list('cap-add', 'NAME', 'Give a capability of the kernel'),
  list('cap-drop', 'NAME', 'Take a capability of the kernel away'),
  bool('privileged', "Everything that root of the node may do, and all of the node's devices"),
  bool('read-only', 'Only mounts can be written'),
  list('security-opt', 'OPTION', 'no-new-privileges, or seccomp=unconfined'),
  list('device', '/PATH[:/PATH[:rwm]]', 'A device of the node'),
  list('ulimit', 'NAME=SOFT[:HARD]', 'A limit of its processes'),
  list('sysctl', 'NAME=VALUE', 'A parameter of the kernel'),
  text('shm-size', 'SIZE', 'Size of /dev/shm'),
]

const printing: readonly Flag[] = [
  {
    name: 'dry-run',
    type: 'text',
    bare: 'client',
    oneOf: ['none', 'client'],
    help: 'Make nothing; with -o yaml, print the manifest',
  },
  {
    name: 'output',
    short: 'o',
    type: 'text',
    value: 'FORMAT',
    oneOf: ['yaml', 'json', 'name'],
    help: 'With --dry-run: yaml, json or name',
  },
]

const waiting: readonly Flag[] = [
  bool('quiet', 'Show no progress', 'q'),
  text('timeout', 'DURATION', 'How long it may take to start (default: for ever)'),
]

const hardware = 'Cove sets limits with --memory, --cpus and --pids-limit only'
const kernelSpaces = 'a Container has its own; --network host and --network container:NAME share networks'
const diskSpeed = 'Cove does not limit the speed of disks'

/** Docker's other flags, each with what to do instead. */
const elsewhere: Readonly<Record<string, string>> = {
  image: 'the image is the first argument, as of docker run: cove run --name NAME IMAGE [COMMAND...]',
  attach: 'without -d all output comes here; redirect what you do not want, and pass input on with -i',
  'blkio-weight': diskSpeed,
  'blkio-weight-device': diskSpeed,
  'cgroup-parent': hardware,
  cgroupns: kernelSpaces,
  cidfile:
    "`cove run -d` prints the id: redirect it, or `cove get container NAME -o jsonpath='{.status.containerID}'`",
  'cpu-count': hardware,
  'cpu-percent': hardware,
  'cpu-period': `${hardware}: --cpus is quota divided by period`,
  'cpu-quota': `${hardware}: --cpus is quota divided by period`,
  'cpu-rt-period': hardware,
  'cpu-rt-runtime': hardware,
  'cpu-shares': hardware,
  'cpuset-cpus': hardware,
  'cpuset-mems': hardware,
  'detach-keys': 'Ctrl-P Ctrl-Q leaves it running',
  'device-cgroup-rule': 'name the devices with --device',
  'device-read-bps': diskSpeed,
  'device-read-iops': diskSpeed,
  'device-write-bps': diskSpeed,
  'device-write-iops': diskSpeed,
  'disable-content-trust': 'name the image by its digest: IMAGE@sha256:...',
  domainname: 'write the whole name with --hostname NAME.DOMAIN',
  expose: 'ports need not be exposed to be reached in a Network; publish them with -p',
  gpus: 'name the devices with --device',
  'group-add': 'name the group with --user USER:GROUP',
  ip: "addresses are the engine's choice; containers of a Network find each other by name",
  ip6: "addresses are the engine's choice; containers of a Network find each other by name",
  ipc: kernelSpaces,
  isolation: 'Cove runs Linux containers',
  'kernel-memory': hardware,
  'label-file': 'give labels one by one with --label',
  'link-local-ip': "addresses are the engine's choice",
  'mac-address': "addresses are the engine's choice",
  'memory-reservation': hardware,
  'memory-swap': hardware,
  'memory-swappiness': hardware,
  'oom-kill-disable': hardware,
  'oom-score-adj': hardware,
  pid: kernelSpaces,
  platform: "an image is pulled for the node's own platform; choose the node with --node",
  runtime: "Cove uses the default runtime of the node's engine",
  'storage-opt': 'Cove does not limit the writable layer; mount a Volume or a --tmpfs with a size',
  userns: kernelSpaces,
  uts: kernelSpaces,
  'volume-driver': 'make a Volume with spec.driver, and mount it with -v NAME:/PATH',
  'volumes-from': 'name the same Volumes with -v',
}

const shorts: Readonly<Record<string, string>> = { attach: 'a', 'cpu-shares': 'c' }

const refused = Object.entries(elsewhere).map(([name, instead]): Flag => {
  const short = shorts[name]
  return { name, type: 'text', help: '', refused: instead, ...(short !== undefined && { short }) }
})

/** What makes a Container: of `cove create`, and of `cove run` beside its own. */
export const createFlags: readonly Flag[] = [
  ...process,
  ...life,
  ...surroundings,
  ...rights,
  ...printing,
  ...waiting,
  ...refused,
]

export const runFlags: readonly Flag[] = [
  bool('detach', 'Leave it running, and print its id', 'd'),
  bool('sig-proxy', 'Without a terminal, pass Ctrl-C on to it (default true)'),
  ...createFlags,
]
