/** The door of the API: as whom a request is made, and whether they may make it. Refusals are worded as Kubernetes words them. */
import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { failureAnswer } from '../http/answer.ts'
import { type Attributes, attributesOf } from './attributes.ts'
import type { Authorizer } from './authorizer.ts'
import { impersonationOf } from './impersonate.ts'

/** Who the request is made as, once it is clear that they may make it. Throws Forbidden or BadRequest. */
export type Guard = (request: ApiRequest, user: UserInfo) => UserInfo

export function makeGuard(authorize: Authorizer): Guard {
  return (request, user) => {
    const effective = effectiveUser(authorize, request, user)
    demand(authorize, effective, attributesOf(request))
    return effective
  }
}

/** Throws Forbidden unless the user may impersonate everybody that the headers name: ignoring them would do more than was asked. */
function effectiveUser(authorize: Authorizer, { headers }: ApiRequest, user: UserInfo): UserInfo {
  const impersonation = impersonationOf(headers)
  if (impersonation === undefined) return user
  for (const need of impersonation.needs) demand(authorize, user, need)
  return impersonation.user
}

/** Throws Forbidden unless the authorizer allows it: having no opinion is not enough. */
export function demand(authorize: Authorizer, user: UserInfo, attributes: Attributes): void {
  const { verdict, reason } = authorize(user, attributes)
  if (verdict !== 'allow') throw forbidden(user, attributes, reason)
}

function forbidden(user: UserInfo, attributes: Attributes, reason: string): StatusError {
  const who = `User "${user.name}" cannot ${attributes.verb}`
  const why = reason === '' ? '' : `: ${reason}`
  if ('path' in attributes)
    return new StatusError('Forbidden', `forbidden: ${who} path "${attributes.path}"${why}`)
  const { group, resource, namespace, name } = attributes
  const [plural = ''] = resource.split('/')
  const what = `${qualifiedResource({ group, plural })}${name === undefined ? '' : ` "${name}"`} is forbidden`
  const scope = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const message = `${what}: ${who} resource "${resource}" in API group "${group}" ${scope}${why}`
  return new StatusError('Forbidden', message, { group, kind: plural, ...(name !== undefined && { name }) })
}

/** `handler` for those who may; a 403 Status for everybody else. */
export function authorizing(handler: Handler, guard: Guard): Handler {
  return (request, user) => {
    const checked = check(guard, request, user)
    return checked.ok ? handler(request, checked.user) : Promise.resolve(checked.refusal)
  }
}

type Checked =
  | { readonly ok: true; readonly user: UserInfo }
  | { readonly ok: false; readonly refusal: ApiResponse }

function check(guard: Guard, request: ApiRequest, user: UserInfo): Checked {
  try {
    return { ok: true, user: guard(request, user) }
  } catch (error) {
    if (error instanceof StatusError) return { ok: false, refusal: failureAnswer(error) }
    throw error
  }
}
