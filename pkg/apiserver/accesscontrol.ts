/** Everything by which the server decides who may do what: put together for serve.ts. */

import { attributesOfInfo } from './access/attributes.ts'
import { type Guard, makeGuard } from './access/authorize.ts'
import { type Authorizer, inOrder, mastersMay } from './access/authorizer.ts'
import { refuseEscalation } from './access/escalation.ts'
import { keepDefaultRoles } from './access/keeproles.ts'
import { nodeAuthorizer } from './access/nodeauthorizer.ts'
import { NodeIndex } from './access/nodeindex.ts'
import { restrictNodes } from './access/noderestriction.ts'
import { RbacIndex } from './access/rbacindex.ts'
import { reviews } from './access/reviews.ts'
import type { Authorize } from './handler.ts'
import type { Surface } from './http/answer.ts'
import type { ApiServerOptions } from './server.ts'

export interface Access {
  /** Before every request, and before everything else that comes in by the socket. */
  readonly guard: Guard
  /** Answers questions about rights. */
  readonly reviews: Surface
  /** What the server needs to decide by, and to keep the default roles. */
  readonly server: Required<Pick<ApiServerOptions, 'authorize' | 'index' | 'admit' | 'bootstrap'>>
}

export function makeAccess(): Access {
  const rbac = new RbacIndex()
  const nodes = new NodeIndex()
  const authorize = inOrder(mastersMay, nodeAuthorizer(nodes), rbac.authorize)
  const admissions = [
    refuseEscalation({ rbac, authorize }),
    restrictNodes({ index: nodes, others: rbac.authorize }),
  ]
  return {
    guard: makeGuard(authorize),
    reviews: reviews({ authorize, rulesFor: (user, namespace) => rbac.rulesFor(user, namespace) }),
    server: {
      authorize: whyNot(authorize),
      index: (kind, key, object) => {
        rbac.index(kind, key, object)
        nodes.index(kind, key, object)
      },
      admit: (user, write) => {
        for (const admit of admissions) admit(user, write)
      },
      bootstrap: keepDefaultRoles,
    },
  }
}

/** Asked again when the request is understood, and of what a request turns out to need besides. */
function whyNot(authorize: Authorizer): Authorize {
  return (user, info) => {
    const { verdict, reason } = authorize(user, attributesOfInfo(info))
    return verdict === 'allow' ? undefined : reason
  }
}
