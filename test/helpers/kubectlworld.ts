/** One API server for all tests of a file, the real kubectl against it, and a namespace per test. */
import type { TestFn } from 'ava'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { runControllers } from '#pkg/controller/controllers.ts'
import type { AccountTokenSource } from '#pkg/controller/tokens.ts'
import { type Kubectl, makeKubectl } from './kubectl.ts'
import { startServer, type TestServing } from './server.ts'

export interface KubectlWorld {
  readonly server: TestServing
  /** As the administrator, in no namespace of its own. */
  readonly kubectl: Kubectl
  /** kubectl in a new namespace of this name, with more in its environment if given. */
  inNamespace(namespace: string, env?: Readonly<Record<string, string>>): Promise<Kubectl>
}

/** Begun with the first test of the file, ended after the last; with controllers, deletions and tokens are completed. */
export function kubectlWorld(test: TestFn, options: { controllers?: boolean } = {}): () => KubectlWorld {
  const teardowns: (() => Promise<void>)[] = []
  let world: KubectlWorld | undefined
  test.before(async () => {
    const server = await startServer({ teardown: (run) => teardowns.unshift(run) })
    if (options.controllers === true) teardowns.unshift(startControllers(server))
    const kubectl = makeKubectl(server)
    const inNamespace: KubectlWorld['inNamespace'] = async (namespace, env) => {
      await kubectl.ok(['create', 'namespace', namespace])
      return within(env === undefined ? kubectl : makeKubectl(server, env), namespace)
    }
    world = { server, kubectl, inNamespace }
  })
  test.after.always(async () => {
    for (const run of teardowns) await run()
  })
  return () => {
    if (world === undefined) throw new Error('the server has not started')
    return world
  }
}

function startControllers({ client, accountTokens, pki }: TestServing): () => Promise<void> {
  const issueForSecret: AccountTokenSource['issueForSecret'] = (account, secretName) =>
    accountTokens.issueForSecret(account, secretName)
  const ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  const stop = new AbortController()
  const running = runControllers(
    { client, ambient, accountTokens: { issueForSecret, ca: pki.ca.cert } },
    stop.signal,
  )
  return async () => {
    stop.abort()
    await running
  }
}

function within(kubectl: Kubectl, namespace: string): Kubectl {
  const scoped = (args: readonly string[]) => ['-n', namespace, ...args]
  return {
    run: (args, input) => kubectl.run(scoped(args), input),
    ok: (args, input) => kubectl.ok(scoped(args), input),
    start: (args) => kubectl.start(scoped(args)),
  }
}

/** Containers in JSON, for `-f -`. */
export function containerText(name: string, spec: object = {}, metadata: object = {}): string {
  return JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name, ...metadata },
    spec: { image: 'nginx:1.27', ...spec },
  })
}
