import test from 'ava'
import { readChanges, readListed, readProcesses, readSample } from './dockerlooksview.ts'
import { commitQuery } from './dockerspec.ts'

const mebibyte = 1024 ** 2

/** As engines on the first version of control groups answer. */
const firstVersion = {
  read: '2026-01-01T00:00:01.5Z',
  cpu_stats: { cpu_usage: { total_usage: 5e9 } },
  memory_stats: { usage: 10 * mebibyte, limit: 64 * mebibyte, stats: { total_inactive_file: 3 * mebibyte } },
  networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
  blkio_stats: {
    io_service_bytes_recursive: [
      { op: 'Read', value: 4 },
      { op: 'Write', value: 8 },
      { op: 'Total', value: 12 },
      { op: 'Read', value: 1 },
    ],
  },
  pids_stats: { current: 3 },
}

test('a sample is read as docker stats reads it, with either version of control groups', (t) => {
  const expected = {
    at: '2026-01-01T00:00:01.5Z',
    cpuNanoseconds: 5e9,
    memoryBytes: 7 * mebibyte,
    memoryLimitBytes: 64 * mebibyte,
    networkReceivedBytes: 11,
    networkSentBytes: 22,
    blockReadBytes: 5,
    blockWrittenBytes: 8,
    pids: 3,
  }
  t.deepEqual(readSample(firstVersion), expected)
  const secondVersion = {
    ...firstVersion,
    memory_stats: { ...firstVersion.memory_stats, stats: { inactive_file: 3 * mebibyte } },
    blkio_stats: {
      io_service_bytes_recursive: [
        { op: 'read', value: 5 },
        { op: 'write', value: 8 },
      ],
    },
  }
  t.deepEqual(readSample(secondVersion), expected)
})

test('what an engine does not count is nothing, and more cache than usage is not taken off', (t) => {
  const memory_stats = { usage: 5, limit: 9, stats: { inactive_file: 6 } }
  const blkio_stats = { io_service_bytes_recursive: null }
  t.like(readSample({ read: '2026-01-01T00:00:00Z', memory_stats, blkio_stats }), {
    memoryBytes: 5,
    networkReceivedBytes: 0,
    blockReadBytes: 0,
    pids: 0,
  })
})

test('a container that does not run has no sample', (t) => {
  t.is(readSample({ read: '0001-01-01T00:00:00Z', memory_stats: {} }), undefined)
  t.is(readSample(undefined), undefined)
})

test('a line of the list tells health and ports', (t) => {
  const health = (Status: string) => readListed({ Status }).health
  t.is(health('Up 2 minutes (healthy)'), 'healthy')
  t.is(health('Up 2 minutes (unhealthy)'), 'unhealthy')
  t.is(health('Up 2 seconds (health: starting)'), 'starting')
  t.is(health('Up 2 minutes (Paused)'), undefined)
  const Ports = [
    { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 53, Type: 'udp' },
  ]
  t.deepEqual(readListed({ Ports }).ports, [
    { containerPort: 80, protocol: 'tcp', hostPort: 8080, hostIP: '::' },
    { containerPort: 53, protocol: 'udp' },
  ])
})

test('processes and changes are read as they are, also when there are none', (t) => {
  t.deepEqual(readProcesses({ Titles: ['PID', 'CMD'], Processes: [['1', 'sleep 9']] }), {
    titles: ['PID', 'CMD'],
    processes: [['1', 'sleep 9']],
  })
  t.deepEqual(readChanges(null), [])
  t.deepEqual(readChanges([{ Path: '/a', Kind: 2 }]), [{ path: '/a', kind: 'Deleted' }])
})

test('an image that is made gets a whole name, or none', (t) => {
  const options = { changes: [], pause: true, signal: new AbortController().signal }
  t.deepEqual(commitQuery('abc', options), { container: 'abc', pause: true })
  t.like(commitQuery('abc', { ...options, reference: 'shop/web' }), {
    repo: 'docker.io/shop/web',
    tag: 'latest',
  })
  t.like(commitQuery('abc', { ...options, changes: ['CMD ["a"]', 'ENV A=1'] }), {
    changes: 'CMD ["a"]\nENV A=1',
  })
  for (const reference of ['UPPER', `a@sha256:${'0'.repeat(64)}`])
    t.throws(() => commitQuery('abc', { ...options, reference }), { message: /^image reference "/ })
})
