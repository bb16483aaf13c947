/** What a node may do with its own certificate, asked with the real kubectl; and that it is enough to run everything. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { nodeKind } from '#pkg/apis/node.ts'
import { type Daemon, startCove, type TestCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { type Kubectl, makeKubectl } from '#test/helpers/kubectl.ts'
import { invite, type Machine, makeMachine } from '#test/helpers/machine.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const patience = { timeoutMs: 45_000, pauseMs: 100 }
const noSignal = new AbortController().signal

async function untilLogged(agent: Daemon, text: RegExp): Promise<void> {
  await eventually(async () => assert.match(agent.log(), text), { ...patience, what: `${text} in the log` })
}

interface Joined {
  readonly cove: TestCove
  readonly machine: Machine
  /** As the node, with the kubeconfig that its agent keeps. */
  readonly asNode: Kubectl
}

async function joinedMachine(t: ExecutionContext): Promise<Joined> {
  const cove = await startCove(t, { alone: true })
  const machine = await makeMachine(t, cove)
  await machine.start(...(await invite(cove, machine)).words)
  await untilLogged(machine.agent, /joined/)
  const kubeconfigPath = join(machine.dir, 'agent/node.kubeconfig')
  return { cove, machine, asNode: makeKubectl({ kubeconfigPath, dir: machine.dir }) }
}

/** A Container that needs something of every kind that a Container can name, and holds what it was given. */
async function runEverything(scene: Scene): Promise<void> {
  await scene.create('Secret', 'login', { stringData: { password: 'swordfish' } })
  await scene.create('ConfigMap', 'files', { data: { 'app.conf': 'port = 1' } })
  await scene.create('Volume', 'data', { spec: { reclaimPolicy: 'Delete' } })
  await scene.create('Network', 'front')
  await scene.running('web', {
    env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } }],
    mounts: [
      { mountPath: '/etc/app', configMap: 'files' },
      { mountPath: '/data', volume: 'data' },
    ],
    networks: [{ name: 'front' }],
  })
  const { Config, Mounts, NetworkSettings } = await scene.inspect('web')
  assert.ok(Config.Env.includes('PASSWORD=swordfish'))
  assert.deepEqual(Mounts.map(({ Destination }: { Destination: string }) => Destination).toSorted(), [
    '/data',
    '/etc/app',
  ])
  assert.deepEqual(Object.keys(NetworkSettings.Networks), [scene.engineName('front')])
}

test.serial(
  'everything that a Container can name reaches it on a machine that runs all of Cove',
  async (t) => {
    const cove = await startCove(t)
    await runEverything(await makeScene(cove))
    t.notRegex(cove.log(), /no relationship found/)
  },
)

test.serial('a machine that joined runs everything, and its certificate opens nothing else', async (t) => {
  const { cove, machine, asNode } = await joinedMachine(t)
  const scene = await makeScene(cove)
  await scene.create('Secret', 'hidden', { stringData: { key: 'value' } })
  await runEverything(scene)
  t.notRegex(machine.agent.log(), /no relationship found/)
  await scene.run('elsewhere', { nodeName: 'another', mounts: [{ mountPath: '/s', secret: 'hidden' }] })

  const inside = ['-n', scene.namespace]
  t.regex(await asNode.ok([...inside, 'get', 'secret', 'login', '-o', 'yaml']), /password:/)
  t.regex(await asNode.ok([...inside, 'get', 'containers.cove.run', 'web']), /web/)
  const node = `system:node:${cove.nodeName}`
  const refused = async (args: readonly string[], why: RegExp) => {
    const { code, stdout, stderr } = await asNode.run(args)
    assert.equal(code, 1, `${args.join(' ')}: ${stdout}`)
    assert.match(stderr, why)
    assert.equal(stdout, '')
  }
  const unrelated = new RegExp(`no relationship found between node '${cove.nodeName}' and this object`)
  await refused([...inside, 'get', 'secrets'], new RegExp(`User "${node}" cannot list resource "secrets"`))
  await refused(['get', 'secrets', '-A'], /Forbidden/)
  await refused([...inside, 'get', 'secret', 'hidden'], unrelated)
  await refused([...inside, 'get', 'configmaps'], /cannot list resource "configmaps"/)
  await refused([...inside, 'get', 'containers.cove.run'], /with spec\.nodeName field selector/)
  await refused([...inside, 'get', 'containers.cove.run', 'elsewhere'], unrelated)
  await refused(['get', 'nodes.cove.run'], /only its own Node object/)
  await refused([...inside, 'delete', 'containers.cove.run', 'web'], /cannot delete resource/)
  const change = [...inside, 'patch', 'containers.cove.run', 'web', '--type=merge', '-p']
  await refused([...change, '{"spec":{"image":"evil:1"}}'], /is not allowed to modify spec/)
  await refused([...change, '{"metadata":{"labels":{"a":"b"}}}'], /is not allowed to modify metadata\.labels/)

  await scene.delete('Container', 'web')
  await eventually(() => refused([...inside, 'get', 'secret', 'login'], unrelated), {
    ...patience,
    what: 'the Secret of the Container that is gone',
  })
  for (const [kind, name] of [
    ['Network', 'front'],
    ['Volume', 'data'],
  ] as const)
    await scene.delete(kind, name)
  await eventually(
    async () => {
      const left = await cove.kubectl.ok([
        ...inside,
        'get',
        'networks.cove.run,volumes.cove.run',
        '-o',
        'name',
      ])
      assert.equal(left, '')
    },
    { ...patience, what: 'what nobody names any more' },
  )
})

test.serial('a node whose Node is deleted is locked out until it joins again', async (t) => {
  const { cove, machine, asNode } = await joinedMachine(t)
  const ready = () =>
    eventually(
      async () => {
        const { status } = await cove.client.get(nodeKind, { name: cove.nodeName }, noSignal)
        assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True')
      },
      { ...patience, what: 'the node' },
    )
  await ready()
  await cove.kubectl.ok(['delete', 'nodes.cove.run', cove.nodeName])
  const gone = new RegExp(`there is no Node object of node '${cove.nodeName}'`)
  const { code, stderr } = await asNode.run(['get', 'nodes.cove.run', cove.nodeName])
  t.is(code, 1)
  t.regex(stderr, gone)
  await machine.agent.end('SIGTERM')
  await machine.start()
  await untilLogged(machine.agent, gone)
  await machine.agent.end('SIGTERM')
  t.regex((await cove.kubectl.run(['get', 'nodes.cove.run', cove.nodeName])).stderr, /not found/)
  await rm(join(machine.dir, 'agent/node.kubeconfig'))
  await machine.start(...(await invite(cove, machine)).words)
  await ready()
})

test.serial(
  'of what is for all nodes a machine tells its own part, and of other nodes it learns nothing',
  async (t) => {
    const { cove, asNode } = await joinedMachine(t)
    const scene = await makeScene(cove)
    const inside = ['-n', scene.namespace]
    const apply = async (object: object) => {
      const { code, stderr } = await cove.kubectl.run(['apply', '-f', '-'], JSON.stringify(object))
      assert.equal(code, 0, stderr)
    }
    const login = { auths: { 'registry.example.com': { username: 'ci', password: 'swordfish' } } }
    const type = 'kubernetes.io/dockerconfigjson'
    const data = { '.dockerconfigjson': JSON.stringify(login) }
    for (const name of ['hub', 'private', 'hidden'])
      await scene.create('Secret', name, { type, stringData: data })
    const [registry, policy] = [`registry-${cove.mark}`, `prune-${cove.mark}`]
    const apiVersion = 'cove.run/v1'
    const secret = { namespace: scene.namespace, name: 'hub' }
    await apply({
      apiVersion,
      kind: 'Registry',
      metadata: { name: registry },
      spec: { server: 'registry.example.com', secret },
    })
    await apply({ apiVersion, kind: 'PrunePolicy', metadata: { name: policy }, spec: {} })
    const image = (name: string, nodeName: string) => ({
      apiVersion,
      kind: 'Image',
      metadata: { namespace: scene.namespace, name },
      spec: {
        reference: `registry.invalid/${name}:1`,
        pullPolicy: 'Never',
        nodeName,
        pullSecrets: [{ name: 'private' }],
      },
    })
    await apply(image('mine', cove.nodeName))
    await apply(image('theirs', 'another'))

    t.regex(await asNode.ok(['get', 'registries.cove.run', '-o', 'name']), new RegExp(registry))
    t.regex(await asNode.ok(['get', 'prunepolicies.cove.run', '-o', 'name']), new RegExp(policy))
    t.regex(await asNode.ok([...inside, 'get', 'secret', 'hub', '-o', 'yaml']), /dockerconfigjson/)
    await eventually(async () => void (await asNode.ok([...inside, 'get', 'images.cove.run', 'mine'])), {
      ...patience,
      what: 'the Image of the node',
    })
    t.regex(await asNode.ok([...inside, 'get', 'secret', 'private', '-o', 'yaml']), /dockerconfigjson/)

    const refused = async (args: readonly string[], why: RegExp) => {
      const { code, stderr } = await asNode.run(args)
      assert.equal(code, 1, args.join(' '))
      assert.match(stderr, why)
    }
    await refused([...inside, 'get', 'secret', 'hidden'], /no relationship found/)
    await refused([...inside, 'get', 'images.cove.run', 'theirs'], /no relationship found/)
    await refused(['get', 'images.cove.run', '-A'], /cannot list resource "images"/)
    await refused(['delete', 'registries.cove.run', registry], /cannot delete resource "registries"/)
    const told = (kind: string, name: string, status: object) => [
      ...inside,
      'patch',
      kind,
      name,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({ status }),
    ]
    const own = { nodes: { [cove.nodeName]: { state: 'Ready' } } }
    const other = { nodes: { another: { state: 'Ready' } } }
    await asNode.ok(told('registries.cove.run', registry, own))
    await refused(told('registries.cove.run', registry, other), /modify the status of node "another"/)
    await refused(
      told('registries.cove.run', registry, { observedGeneration: 7 }),
      /it is not this node's to say/,
    )
    await refused(told('images.cove.run', 'mine', other), /modify the status of node "another"/)
    for (const below of ['images', 'images/save?image=a:1', 'images/layers?image=a:1'])
      await refused(
        ['get', '--raw', `/apis/cove.run/v1/nodes/another/${below}`],
        /can only get layers of images/,
      )
    await refused(
      ['get', '--raw', '/apis/cove.run/v1/nodes/another/disk'],
      /cannot get resource "nodes\/disk"/,
    )
  },
)
