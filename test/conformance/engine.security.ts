/** What a container may do to its host, and how it is networked when not by networks: promises of the engine port. */

import type { ExecutionContext } from 'ava'
import { usualSecurity } from '#pkg/engine/port.ts'
import { create, type EngineUnderTest, fails, makeNetwork, mustInspect, run } from './enginesubject.ts'

const networksOf = ({ networks }: { networks: readonly { network: string }[] }) =>
  networks.map(({ network }) => network)

type Body = (t: ExecutionContext, on: EngineUnderTest) => Promise<void>

export const securityPromises: Record<string, Body> = {
  async 'a container has the usual rights unless it is given others'(t, on) {
    const observed = await mustInspect(on, await create(on))
    t.deepEqual(observed.security, usualSecurity)
    t.is(observed.networkMode, 'bridge')
  },

  async 'the rights a container is given are those it shows'(t, on) {
    const security = {
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { add: ['CHOWN', 'KILL'], drop: ['ALL'] },
      allowPrivilegeEscalation: false,
      seccomp: 'unconfined',
    } as const
    const name = await run(on, { security })
    t.deepEqual((await mustInspect(on, name)).security, security)
  },

  async 'a privileged container shows that it is'(t, on) {
    const name = await create(on, { security: { ...usualSecurity, privileged: true } })
    t.deepEqual((await mustInspect(on, name)).security, { ...usualSecurity, privileged: true })
  },

  async 'a container with rights of its own starts again with them'(t, on) {
    const { engine } = on
    const security = { ...usualSecurity, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false }
    const name = await run(on, { security })
    await on.settle(engine.stopContainer(name, 0))
    await engine.startContainer(name)
    t.deepEqual((await mustInspect(on, name)).security, security)
  },

  async 'a container on the network of its host is on no other, and stays there'(t, on) {
    const { engine } = on
    const network = await makeNetwork(on)
    const name = await run(on, { networkMode: 'host' })
    const observed = await mustInspect(on, name)
    t.is(observed.networkMode, 'host')
    t.deepEqual(networksOf(observed), ['host'])
    t.is(observed.networks[0]?.ip, '')
    await fails(t, 'InvalidSpec', engine.connectNetwork(name, { network, aliases: [] }))
    await fails(t, 'InvalidSpec', engine.disconnectNetwork(name, 'host'))
  },

  async 'a container without any network joins none beside it, but can leave that and come back'(t, on) {
    const { engine } = on
    const network = await makeNetwork(on)
    const name = await run(on, { networkMode: 'none' })
    const observed = await mustInspect(on, name)
    t.is(observed.networkMode, 'none')
    t.deepEqual(networksOf(observed), ['none'])
    t.is(observed.networks[0]?.ip, '')
    await fails(t, 'Conflict', engine.connectNetwork(name, { network, aliases: [] }))
    await engine.disconnectNetwork(name, 'none')
    await engine.connectNetwork(name, { network, aliases: [] })
    await engine.disconnectNetwork(name, network)
    await engine.connectNetwork(name, { network: 'none', aliases: [] })
    const after = await mustInspect(on, name)
    t.is(after.networkMode, 'none')
    t.deepEqual(networksOf(after), ['none'])
  },

  async 'the default bridge by name is the default bridge'(t, on) {
    const observed = await mustInspect(on, await run(on, { networkMode: 'bridge' }))
    t.is(observed.networkMode, 'bridge')
    t.deepEqual(networksOf(observed), ['bridge'])
  },
}
