/** The API as one function: from a request and who asks to an answer. Errors become Statuses here and nowhere else. */
import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { answerFor, firstOf, type Surface } from './http/answer.ts'
import { jsonText } from './http/body.ts'
import { duplicateFields } from './http/duplicates.ts'
import { jsonResponse, listText, objectText } from './http/present.ts'
import { pretty } from './http/pretty.ts'
import { makeRoutes, parseRequest, type RequestInfo, type Verb } from './http/request.ts'
import type { Admit, Context, Write, Written } from './verbs/context.ts'
import { create } from './verbs/create.ts'
import { remove, removeCollection } from './verbs/delete.ts'
import { strictError } from './verbs/objects.ts'
import { patch } from './verbs/patch.ts'
import { get, list } from './verbs/read.ts'
import { update } from './verbs/update.ts'
import { watch } from './verbs/watch.ts'

/** Undefined: allowed. A text, which may be empty, says why not. */
export type Authorize = (
  user: UserInfo,
  info: RequestInfo,
) => Promise<string | undefined> | string | undefined

export interface HandlerOptions {
  /** Asked first, and of anybody: they answer for themselves. */
  readonly surfaces: readonly Surface[]
  readonly authorize: Authorize
  /** Asked before anything is written. */
  readonly admit?: Admit
}

type Answer = (context: Context, info: RequestInfo, request: ApiRequest) => Promise<ApiResponse>

const answers: Readonly<Record<Verb, Answer>> = {
  get,
  list,
  watch,
  create: writing(create),
  update: writing(update),
  patch: writing(patch),
  delete: answerDelete,
  deletecollection: answerDeleteCollection,
}

export function makeHandler(context: Context, { surfaces, authorize, admit }: HandlerOptions): Handler {
  const routes = makeRoutes(context.kinds)
  const surface = firstOf(...surfaces)
  return async (request, user) => {
    try {
      const answered = await surface(request, user)
      if (answered !== undefined) return pretty(request, answered)
      const info = parseRequest(routes, request)
      const mayDo = async (asked: RequestInfo) => {
        const reason = await authorize(user, asked)
        if (reason !== undefined) throw forbidden(user, asked, reason)
      }
      await mayDo(info)
      const ask = admit === undefined ? {} : { admit: (write: Write) => admit(user, write) }
      const own: Context = { ...context, ...ask, authorize: mayDo }
      return pretty(request, await answers[info.verb](own, info, request))
    } catch (error) {
      return answerFor(error, request, context.ambient.log)
    }
  }
}

function writing(
  write: (context: Context, info: RequestInfo, request: ApiRequest) => Promise<Written>,
): Answer {
  return async (context, info, request) => {
    const twice = givenTwice(info, request)
    const { status, text, warnings, made } = await write(context, info, request)
    const body = objectText(info, text, context.ambient.clock.now())
    return { ...jsonResponse(status, body, [...twice, ...warnings]), ...(made !== undefined && { made }) }
  }
}

/** What the body says more than once, for those who want to know. Throws BadRequest for those who want nothing lost. */
function givenTwice({ kind, options: { fieldValidation } }: RequestInfo, request: ApiRequest): string[] {
  if (fieldValidation === 'Ignore') return []
  const twice = duplicateFields(jsonText(request)).map((path) => `duplicate field "${path}"`)
  if (fieldValidation === 'Strict' && twice.length > 0) throw strictError(kind, twice)
  return twice
}

/** What is gone is told as a Status, whatever form of the object was asked for. */
async function answerDelete(context: Context, info: RequestInfo, request: ApiRequest): Promise<ApiResponse> {
  const { removed, text } = await remove(context, info, request)
  return jsonResponse(200, removed ? text : objectText(info, text, context.ambient.clock.now()))
}

async function answerDeleteCollection(
  context: Context,
  info: RequestInfo,
  request: ApiRequest,
): Promise<ApiResponse> {
  const { texts, metadata } = await removeCollection(context, info, request)
  return jsonResponse(200, listText(info, texts, metadata, context.ambient.clock.now()))
}

/** Worded as Kubernetes words it. */
function forbidden(user: UserInfo, info: RequestInfo, reason: string): StatusError {
  const { kind, verb, namespace, name, subresource } = info
  const what = name === undefined ? qualifiedResource(kind) : `${qualifiedResource(kind)} "${name}"`
  const resource = subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`
  const scope = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const why = reason === '' ? '' : `: ${reason}`
  const message = `${what} is forbidden: User "${user.name}" cannot ${verb} resource "${resource}" in API group "${kind.group}" ${scope}${why}`
  const details = { group: kind.group, kind: kind.plural, ...(name !== undefined && { name }) }
  return new StatusError('Forbidden', message, details)
}
