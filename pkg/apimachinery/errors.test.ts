import test from 'ava'
import {
  alreadyExists,
  badRequest,
  type Cause,
  classify,
  conflict,
  fromStatus,
  invalid,
  isAbort,
  isReason,
  messageOf,
  notFound,
  type Reason,
  StatusError,
} from './errors.ts'

/** Every reason, its HTTP code, and what its receiver does next. */
const table: Readonly<Record<Reason, readonly [number, string]>> = {
  BadRequest: [400, 'stall'],
  Unauthorized: [401, 'wait'],
  Forbidden: [403, 'wait'],
  NotFound: [404, 'ignore'],
  MethodNotAllowed: [405, 'stall'],
  NotAcceptable: [406, 'stall'],
  Conflict: [409, 'retry'],
  AlreadyExists: [409, 'ignore'],
  Expired: [410, 'retry'],
  RequestEntityTooLarge: [413, 'stall'],
  UnsupportedMediaType: [415, 'stall'],
  Invalid: [422, 'stall'],
  TooManyRequests: [429, 'wait'],
  InternalError: [500, 'wait'],
  ServiceUnavailable: [503, 'wait'],
  Timeout: [504, 'retry'],
  EngineUnavailable: [503, 'wait'],
  EngineError: [500, 'wait'],
  BuildFailed: [422, 'stall'],
  ImageNotFound: [404, 'wait'],
  RegistryUnauthorized: [401, 'wait'],
  RegistryRateLimited: [429, 'wait'],
  RegistryUnavailable: [503, 'wait'],
  RegistryInsecure: [503, 'wait'],
  SourceUnavailable: [503, 'wait'],
  RefNotFound: [404, 'wait'],
  ContextTooLarge: [413, 'stall'],
  NoSpace: [507, 'wait'],
  InUse: [409, 'wait'],
  HasChildren: [409, 'wait'],
  NameInUse: [409, 'wait'],
  HostPortInUse: [409, 'wait'],
  MountSourceMissing: [400, 'wait'],
  ExecutableNotFound: [400, 'wait'],
  UserNotFound: [400, 'stall'],
  DeviceNotFound: [400, 'wait'],
  InvalidSpec: [400, 'stall'],
}
// The table is exhaustive by its type.
const all = Object.keys(table) as Reason[]

test('each reason has its code and what follows from it', (t) => {
  for (const reason of all) {
    const error = new StatusError(reason, 'because')
    t.deepEqual([error.code, classify(error)], [...table[reason]], reason)
    t.true(isReason(error, reason))
  }
  t.false(isReason(new Error('because'), 'NotFound'))
  t.is(classify(new TypeError('a bug')), 'wait')
})

test('an error survives the way over the wire', (t) => {
  for (const reason of all) {
    const details = { name: 'web', kind: 'containers', retryAfterSeconds: 3 }
    const sent = new StatusError(reason, 'because', details).toStatus()
    const received = fromStatus(JSON.parse(JSON.stringify(sent)))
    t.deepEqual(received.toStatus(), sent)
  }
})

test('a reason nobody here knows becomes the one of its code', (t) => {
  const of = (code: number, reason?: string) => fromStatus({ code, ...(reason && { reason }) }).reason
  t.is(of(409, 'Gone'), 'Conflict')
  t.is(of(404), 'NotFound')
  t.is(of(503, 'Overloaded'), 'ServiceUnavailable')
  t.is(of(500), 'InternalError')
  t.is(of(418), 'InternalError')
  t.is(of(400, 'constructor'), 'BadRequest')
  t.is(fromStatus({ code: 418 }).message, 'the server answered 418')
})

test('messages are worded as Kubernetes words them', (t) => {
  const containers = { group: 'cove.run', plural: 'containers' }
  const secrets = { group: '', plural: 'secrets' }
  const cause = (field: string): Cause => ({ reason: 'FieldValueRequired', field, message: 'is required' })
  const messages = {
    'containers.cove.run "web" not found': notFound(containers, 'web'),
    'secrets "pw" not found': notFound(secrets, 'pw'),
    'containers.cove.run "web" already exists': alreadyExists(containers, 'web'),
    'Operation cannot be fulfilled on containers.cove.run "web": it moved': conflict(
      containers,
      'web',
      'it moved',
    ),
    'Container.cove.run "web" is invalid: spec.image: is required': invalid(
      { group: 'cove.run', kind: 'Container' },
      'web',
      [cause('spec.image')],
    ),
    'Secret "pw" is invalid: [data: is required, type: is required]': invalid(
      { group: '', kind: 'Secret' },
      'pw',
      [cause('data'), cause('type')],
    ),
    'no such verb': badRequest('no such verb'),
  }
  for (const [message, error] of Object.entries(messages)) t.is(error.message, message)
  t.deepEqual(notFound(containers, 'web').details, { name: 'web', group: 'cove.run', kind: 'containers' })
  t.is(invalid({ group: '', kind: 'Secret' }, 'pw', [cause('data')]).details.causes?.length, 1)
})

test('an aborted wait is told from a failure', (t) => {
  t.true(isAbort(AbortSignal.abort().reason))
  t.true(isAbort(new DOMException('late', 'TimeoutError')))
  t.false(isAbort(new Error('AbortError')))
  t.is(messageOf(new Error('why')), 'why')
  t.is(messageOf('thrown text'), 'thrown text')
})
