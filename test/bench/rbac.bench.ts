/** Decisions of the authorizer with 1,000 bindings of many users, and with 1,000 of one; and what a change costs, in CPU time. */
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import type { Attributes } from '#pkg/apiserver/access/attributes.ts'
import { type Authorizer, inOrder, mastersMay } from '#pkg/apiserver/access/authorizer.ts'
import { nodeAuthorizer } from '#pkg/apiserver/access/nodeauthorizer.ts'
import type { RbacIndex } from '#pkg/apiserver/access/rbacindex.ts'
import { nodeIndexOf } from '../helpers/nodes.ts'
import { heldRbac, makeBinding, tell } from '../helpers/rbac.ts'
import type { Report } from './report.ts'

const bindings = 1_000
const runMs = 500
const roles = ['view', 'edit', 'admin'] as const

export async function run(report: Report): Promise<void> {
  const [many, one] = [indexOf((index) => `user-${index}`), indexOf(() => 'busy')]
  const user = (name: string): UserInfo => ({ name, groups: ['team', 'system:authenticated'] })
  const rates = (name: string, rbac: RbacIndex, users: readonly UserInfo[]) => {
    const authorize = inOrder(mastersMay, nodeAuthorizer(nodeIndexOf()), rbac.authorize)
    for (const verb of ['list', 'deletecollection'])
      report({ name: `rbac: ${verb}, ${name}`, value: rate(authorize, users, verb), unit: '1/CPU s' })
  }
  const everybody = Array.from({ length: bindings }, (_, index) => user(`user-${index}`))
  rates(`${bindings} bindings of as many users`, many, everybody)
  rates(`${bindings} bindings of one user`, one, [user('busy')])
  report({ name: `rbac: a changed binding among ${bindings}`, value: changeMicros(many), unit: 'µs' })
}

/** One binding per namespace. */
function indexOf(userOf: (index: number) => string): RbacIndex {
  const rbac = heldRbac()
  for (let index = 0; index < bindings; index++) tell(rbac, binding(index, userOf(index)))
  return rbac
}

function binding(index: number, name: string) {
  const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name }]
  const role = roles[index % roles.length] ?? 'view'
  return makeBinding('b', { role, subjects, namespace: `ns-${index}` })
}

/** Half of what is asked is refused. */
function rate(authorize: Authorizer, users: readonly UserInfo[], verb: string): number {
  const asked = Array.from(
    { length: bindings },
    (_, index): Attributes => ({
      verb,
      group: index % 2 === 0 ? 'cove.run' : 'nowhere.example',
      resource: 'containers',
      namespace: `ns-${index}`,
    }),
  )
  let done = 0
  const [began, before] = [performance.now(), cpuMs()]
  while (performance.now() - began < runMs) {
    for (const [index, attributes] of asked.entries()) {
      const user = users[index % users.length]
      if (user !== undefined) authorize(user, attributes)
    }
    done += asked.length
  }
  return (done / (cpuMs() - before)) * 1000
}

/** What this process has spent: others on the machine do not count. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** With the first decision after it, which compiles anew. */
function changeMicros(rbac: RbacIndex): number {
  const rounds = 5_000
  const asked = { verb: 'list', group: 'cove.run', resource: 'containers', namespace: 'ns-7' }
  const before = cpuMs()
  for (let round = 0; round < rounds; round++) {
    tell(rbac, binding(7, 'user-7'))
    rbac.authorize({ name: 'user-7', groups: [] }, asked)
  }
  return ((cpuMs() - before) / rounds) * 1000
}
