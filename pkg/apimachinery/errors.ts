/**
 * One vocabulary of failures for API, engine, registry and storage. Foreign errors are translated into a
 * StatusError at the door where they come in; from there on code asks for the reason, never for the text.
 */

/** What a caller should do: try again soon, back off, give up until the object changes, or take it as done. */
export type FollowUp = 'retry' | 'wait' | 'stall' | 'ignore'

/**
 * Every reason with its HTTP code and what follows from it: the only such table. The first of a code stands for all
 * that come with it and without a reason known here.
 */
const reasons = {
  // The API's, as Kubernetes names them.
  BadRequest: { code: 400, follow: 'stall' },
  Unauthorized: { code: 401, follow: 'wait' },
  Forbidden: { code: 403, follow: 'wait' },
  NotFound: { code: 404, follow: 'ignore' },
  MethodNotAllowed: { code: 405, follow: 'stall' },
  NotAcceptable: { code: 406, follow: 'stall' },
  Conflict: { code: 409, follow: 'retry' },
  AlreadyExists: { code: 409, follow: 'ignore' },
  Expired: { code: 410, follow: 'retry' },
  RequestEntityTooLarge: { code: 413, follow: 'stall' },
  UnsupportedMediaType: { code: 415, follow: 'stall' },
  Invalid: { code: 422, follow: 'stall' },
  TooManyRequests: { code: 429, follow: 'wait' },
  InternalError: { code: 500, follow: 'wait' },
  ServiceUnavailable: { code: 503, follow: 'wait' },
  Timeout: { code: 504, follow: 'retry' },
  // The engine's and the registry's.
  EngineUnavailable: { code: 503, follow: 'wait' },
  EngineError: { code: 500, follow: 'wait' },
  ImageNotFound: { code: 404, follow: 'wait' },
  RegistryUnauthorized: { code: 401, follow: 'wait' },
  RegistryRateLimited: { code: 429, follow: 'wait' },
  RegistryUnavailable: { code: 503, follow: 'wait' },
  RegistryInsecure: { code: 503, follow: 'wait' },
  SourceUnavailable: { code: 503, follow: 'wait' },
  RefNotFound: { code: 404, follow: 'wait' },
  ContextTooLarge: { code: 413, follow: 'stall' },
  BuildFailed: { code: 422, follow: 'stall' },
  NoSpace: { code: 507, follow: 'wait' },
  InUse: { code: 409, follow: 'wait' },
  HasChildren: { code: 409, follow: 'wait' },
  NameInUse: { code: 409, follow: 'wait' },
  HostPortInUse: { code: 409, follow: 'wait' },
  MountSourceMissing: { code: 400, follow: 'wait' },
  ExecutableNotFound: { code: 400, follow: 'wait' },
  UserNotFound: { code: 400, follow: 'stall' },
  DeviceNotFound: { code: 400, follow: 'wait' },
  InvalidSpec: { code: 400, follow: 'stall' },
} as const satisfies Record<string, { code: number; follow: FollowUp }>

export type Reason = keyof typeof reasons

/** Kubernetes' cause: one field of one object, and what is wrong with it. `message` leaves the field path out. */
export interface Cause {
  reason:
    | 'FieldValueRequired'
    | 'FieldValueInvalid'
    | 'FieldValueNotSupported'
    | 'FieldValueDuplicate'
    | 'FieldValueForbidden'
    | 'FieldValueTypeInvalid'
    | 'FieldManagerConflict'
    | 'UnknownField'
    | 'ResourceVersionTooLarge'
    | 'NamespaceTerminating'
  message: string
  field: string
}

export interface StatusDetails {
  name?: string
  group?: string
  /** The plural for NotFound, Conflict and AlreadyExists; the Kind for Invalid: what kubectl prints. */
  kind?: string
  uid?: string
  causes?: Cause[]
  retryAfterSeconds?: number
}

/** metav1.Status, the body of every failed answer. */
export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: { continue?: string }
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  details?: StatusDetails
  code: number
}

export class StatusError extends Error {
  readonly reason: Reason
  readonly code: number
  readonly details: StatusDetails
  /** Of a list that broke off: where it can go on all the same. */
  readonly continue: string | undefined
  /** Of a method that is not allowed: those that are. */
  readonly allow: readonly string[] | undefined

  constructor(
    reason: Reason,
    message: string,
    details: StatusDetails = {},
    options?: ErrorOptions & { readonly continue?: string; readonly allow?: readonly string[] },
  ) {
    super(message, options)
    this.continue = options?.continue
    this.allow = options?.allow
    this.name = 'StatusError'
    this.reason = reason
    this.code = reasons[reason].code
    this.details = details
  }

  toStatus(): Status {
    const { message, reason, code, details } = this
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.continue === undefined ? {} : { continue: this.continue },
      status: 'Failure',
      message,
      reason,
      details,
      code,
    }
  }
}

export function isReason(error: unknown, reason: Reason): error is StatusError {
  return error instanceof StatusError && error.reason === reason
}

/** The only place that decides what follows from an error. An error nobody translated is a bug: back off and show it. */
export function classify(error: unknown): FollowUp {
  return error instanceof StatusError ? reasons[error.reason].follow : 'wait'
}

/** An aborted wait is no failure: it is how things are told to stop. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError')
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A Status read from the wire; a reason this version does not know becomes the one of its code. */
export function fromStatus(status: {
  code: number
  reason?: string
  message?: string
  details?: StatusDetails
}) {
  const known = status.reason !== undefined && Object.hasOwn(reasons, status.reason)
  const reason = known ? (status.reason as Reason) : reasonOfCode(status.code)
  return new StatusError(reason, status.message ?? `the server answered ${status.code}`, status.details)
}

function reasonOfCode(code: number): Reason {
  const match = Object.entries(reasons).find(([, value]) => value.code === code)
  return (match?.[0] ?? 'InternalError') as Reason
}

/** `containers.cove.run`, or `secrets` for the core group. */
export function qualifiedResource(resource: { group: string; plural: string }): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`
}

export function notFound(resource: { group: string; plural: string }, name: string): StatusError {
  const details = { name, group: resource.group, kind: resource.plural }
  return new StatusError('NotFound', `${qualifiedResource(resource)} "${name}" not found`, details)
}

export function alreadyExists(resource: { group: string; plural: string }, name: string): StatusError {
  const details = { name, group: resource.group, kind: resource.plural }
  return new StatusError('AlreadyExists', `${qualifiedResource(resource)} "${name}" already exists`, details)
}

export function conflict(
  resource: { group: string; plural: string },
  name: string,
  why: string,
): StatusError {
  const details = { name, group: resource.group, kind: resource.plural }
  const message = `Operation cannot be fulfilled on ${qualifiedResource(resource)} "${name}": ${why}`
  return new StatusError('Conflict', message, details)
}

export function badRequest(message: string): StatusError {
  return new StatusError('BadRequest', message)
}

/** More than anybody reads; a body can be wrong in a million places. */
export const maxCauses = 500

/** 422 with one cause per field, worded as Kubernetes words it; of very many the first. */
export function invalid(kind: { group: string; kind: string }, name: string, all: Cause[]): StatusError {
  const causes = all.length > maxCauses ? all.slice(0, maxCauses) : all
  const list = causes.map((cause) => `${cause.field}: ${cause.message}`)
  if (all.length > maxCauses) list.push(`and ${all.length - maxCauses} more`)
  const text = list.length === 1 ? list[0] : `[${list.join(', ')}]`
  const message = `${kind.kind}${kind.group === '' ? '' : `.${kind.group}`} "${name}" is invalid: ${text}`
  return new StatusError('Invalid', message, { name, group: kind.group, kind: kind.kind, causes })
}
