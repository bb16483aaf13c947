/** Containers that lean on others: on their network, and by links. Promises of the engine port. */
import type { ExecutionContext } from 'ava'
import {
  create,
  type EngineUnderTest,
  fails,
  makeCreate,
  makeNetwork,
  mustInspect,
  run,
} from './enginesubject.ts'

type Body = (t: ExecutionContext, on: EngineUnderTest) => Promise<void>

export const neighbourPromises: Record<string, Body> = {
  async 'a container in the network of another one says whose by id, and is in no network itself'(t, on) {
    const { id } = await mustInspect(on, await run(on))
    const observed = await mustInspect(on, await run(on, { networkMode: `container:${id}` }))
    t.is(observed.networkMode, `container:${id}`)
    t.deepEqual(observed.networks, [])
  },

  async 'a container in the network of another one starts while that one runs, and not else'(t, on) {
    const { engine } = on
    const owner = await run(on)
    const { id } = await mustInspect(on, owner)
    const follower = await create(on, { networkMode: `container:${id}` })
    await on.settle(engine.stopContainer(owner, 0))
    await fails(t, 'Conflict', engine.startContainer(follower))
    await engine.startContainer(owner)
    await engine.startContainer(follower)
    t.is((await mustInspect(on, follower)).state, 'running')
  },

  async 'a link on the default bridge is told with the name that the other one has now'(t, on) {
    const { engine } = on
    const source = await run(on)
    const name = await run(on, { links: [`${source}:db`] })
    t.deepEqual((await mustInspect(on, name)).links, [`${source}:db`])
    const other = on.uniqueName()
    await engine.renameContainer(source, other)
    t.deepEqual((await mustInspect(on, name)).links, [`${other}:db`])
    await engine.renameContainer(other, source)
    t.is((await mustInspect(on, source)).links, undefined)
  },

  async 'a container that links starts while the other one runs, and not else'(t, on) {
    const { engine } = on
    const source = await create(on)
    const name = await create(on, { links: [`${source}:db`] })
    await t.throwsAsync(engine.startContainer(name), { message: /non running container/ })
    await engine.startContainer(source)
    await engine.startContainer(name)
    t.is((await mustInspect(on, name)).state, 'running')
    await t.throwsAsync(engine.createContainer(makeCreate(on, { links: [`${on.uniqueName()}:db`] })))
  },

  async 'links in a network are told as they were asked for, at create and when it is joined'(t, on) {
    const { engine } = on
    const [first, second] = [await makeNetwork(on), await makeNetwork(on)]
    const at = (network: string) => ({ network, aliases: ['web'], links: ['other:db', 'third:cache'] })
    const name = await create(on, { networks: [at(first)] })
    await engine.connectNetwork(name, at(second))
    await engine.startContainer(name)
    const { networks } = await mustInspect(on, name)
    t.deepEqual(
      networks.map(({ network, links }) => [network, links]).sort(),
      [first, second].map((network) => [network, ['other:db', 'third:cache']]).sort(),
    )
  },
}
