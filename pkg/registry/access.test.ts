import test from 'ava'
import { accessOf, hostOf, mayBeInsecure } from './access.ts'

const names: Readonly<Record<string, string[]>> = { localhost: ['127.0.0.1'], internal: ['10.1.2.3'] }
const addressesOf = async (host: string) => names[host] ?? []

test('loopback, listed hosts and hosts in listed networks may be insecure, and nobody else', async (t) => {
  const listed = ['registry.lan:5000', '10.0.0.0/8', 'fd00::/8', 'nonsense/99', '10.0.0.0/99']
  const may = (registry: string) => mayBeInsecure(registry, listed, addressesOf)
  for (const registry of ['127.0.0.1:5000', '127.9.9.9', '[::1]:5000', 'localhost:5000', 'registry.lan:5000'])
    t.true(await may(registry), registry)
  for (const registry of ['internal:5000', '10.200.0.1', '[fd00::7]:443'])
    t.true(await may(registry), registry)
  for (const registry of ['registry.lan', 'registry.lan:5001', '11.0.0.1', 'unknown.example', 'docker.io'])
    t.false(await may(registry), registry)
})

test('mirrors stand before Docker Hub only, and authorities are those of the registry', async (t) => {
  const engine = { insecure: [], mirrors: ['http://127.0.0.1:5000'] }
  const lookups = { addressesOf, authoritiesOf: async (registry: string) => [`PEM of ${registry}`] }
  t.deepEqual(await accessOf('docker.io', engine, lookups), {
    insecure: false,
    mirrors: ['http://127.0.0.1:5000'],
    authorities: ['PEM of docker.io'],
  })
  t.deepEqual((await accessOf('quay.io', engine, lookups)).mirrors, [])
  t.is(hostOf('[::1]:5000'), '::1')
  t.is(hostOf('a.b:1'), 'a.b')
})
