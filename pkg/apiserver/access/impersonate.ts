/** Acting as somebody else by `Impersonate-*` headers, for those who hold the verb `impersonate` on all of it. Pure. */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, UserInfo } from '#pkg/apimachinery/transport.ts'
import type { ResourceAttributes } from './attributes.ts'
import { anonymous, authenticatedGroup } from './authenticate.ts'

type Headers = ApiRequest['headers']

export interface Impersonation {
  readonly user: UserInfo
  /** What the asker must be allowed, all of it. */
  readonly needs: readonly ResourceAttributes[]
}

const authentication = 'authentication.k8s.io'
const account = /^system:serviceaccount:([^:]+):([^:]+)$/

/** Undefined: nobody is impersonated. Throws BadRequest when it is not said as whom, or by what this server cannot. */
export function impersonationOf(headers: Headers): Impersonation | undefined {
  const { 'impersonate-user': name = '', 'impersonate-uid': uid = '' } = headers
  const asked = (headers['impersonate-group'] ?? '').split(',').flatMap((group) => group.trim() || [])
  const extra = Object.keys(headers).find((header) => header.startsWith('impersonate-extra-'))
  if (extra !== undefined) throw badRequest(`${extra}: extra fields of a user cannot be impersonated here`)
  if (name === '' && uid === '' && asked.length === 0) return undefined
  if (name === '') throw badRequest('requested to impersonate a group or UID without impersonating a user')
  const needs = [
    userNeed(name),
    ...asked.map((group) => impersonating('', 'groups', group)),
    ...(uid === '' ? [] : [impersonating(authentication, 'uids', uid)]),
  ]
  return { user: { name, groups: groupsOf(name, asked), ...(uid !== '' && { uid }) }, needs }
}

function userNeed(name: string): ResourceAttributes {
  const [, namespace, plain] = account.exec(name) ?? []
  if (namespace === undefined || plain === undefined) return impersonating('', 'users', name)
  return { ...impersonating('', 'serviceaccounts', plain), namespace }
}

function impersonating(group: string, resource: string, name: string): ResourceAttributes {
  return { verb: 'impersonate', group, resource, name }
}

/** The groups that were asked for, or those that go with such a user; being known at all is one of them. */
function groupsOf(name: string, asked: readonly string[]): readonly string[] {
  if (asked.length === 0 && name === anonymous.name) return anonymous.groups
  const [, namespace] = account.exec(name) ?? []
  const implied =
    namespace === undefined ? [] : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
  const groups = asked.length === 0 ? implied : asked
  const known =
    name === anonymous.name ||
    [authenticatedGroup, ...anonymous.groups].some((group) => groups.includes(group))
  return known ? groups : [...groups, authenticatedGroup]
}
