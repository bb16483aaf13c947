import test from 'ava'
import { container, observed } from '#test/helpers/world.ts'
import { addressesOf } from './probe.targets.ts'

const found = (id: string, networkMode: string) =>
  observed(container(id), 'xx', {
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
  const chain = [found('xx', 'bridge'), found('yy', 'container:xx'), found('zz', 'container:yy')]
  t.deepEqual(addresses('zz', ...chain), ['172.17.0.2'])
  t.deepEqual(addresses('zz', ...chain.slice(1)), [])
  t.deepEqual(addresses('yy', found('yy', 'container:zz'), found('zz', 'container:yy')), [])
  t.deepEqual(addresses('hh', found('hh', 'container:nn'), found('nn', 'host')), ['127.0.0.1'])
})
