import test from 'ava'
import { container, observed } from '#test/helpers/world.ts'
import { addressesOf } from './probe.targets.ts'

const found = (id: string, networkMode: string) =>
  observed(container(id), 'x', {
    id,
    networkMode,
    ...(networkMode.startsWith('container:') && { networks: [] }),
  })
const addresses = (id: string, ...all: ReturnType<typeof found>[]) => {
  const byID = new Map(all.map((one) => [one.id, one]))
  const one = byID.get(id)
  return one === undefined ? [] : addressesOf(one, byID)
}

test('whoever shares the network of one that shares another’s is reached where that one is', (t) => {
  const chain = [found('x', 'bridge'), found('y', 'container:x'), found('z', 'container:y')]
  t.deepEqual(addresses('z', ...chain), ['172.17.0.2'])
  t.deepEqual(addresses('z', ...chain.slice(1)), [])
  t.deepEqual(addresses('y', found('y', 'container:z'), found('z', 'container:y')), [])
  t.deepEqual(addresses('h', found('h', 'container:n'), found('n', 'host')), ['127.0.0.1'])
})
