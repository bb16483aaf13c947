/**
 * The door for foreign failures: what an engine answers becomes a StatusError with a reason. Engines give a status
 * code that says little and a sentence that says all, so this is the one place that reads sentences. The engine's
 * own words stay in the message. Sentences are those of Docker Engine, containerd, runc and Podman.
 */
import { messageOf, type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { programError, tellProgramError } from './programerror.ts'

/** A refusal as the engine gave it. */
export interface Refusal {
  readonly statusCode: number
  readonly message: string
}

interface Rule {
  readonly when: RegExp
  readonly reason: Reason
}

/** First match wins. */
const engineRules: readonly Rule[] = [
  { when: /no space left on device|disk quota exceeded/i, reason: 'NoSpace' },
  {
    when: /port is already allocated|address already in use|ports are not available/i,
    reason: 'HostPortInUse',
  },
  { when: /cannot assign requested address/i, reason: 'EngineError' },
  { when: /driver failed programming external connectivity(?!.*iptables)/is, reason: 'HostPortInUse' },
  { when: /error gathering device information/i, reason: 'DeviceNotFound' },
  { when: /open \/proc\/sys\/|not in a separate kernel namespace/i, reason: 'InvalidSpec' },
  {
    when: /bind source path does not exist|error mounting ".*no such file or directory|statfs .*: no such file/i,
    reason: 'MountSourceMissing',
  },
  { when: /no such image|image not known/i, reason: 'ImageNotFound' },
  {
    when: /executable file .*not found|exec: ".*(no such file or directory|permission denied|is a directory|exec format error)/i,
    reason: 'ExecutableNotFound',
  },
  {
    when: /name .*is already in use|network with name .* already exists|endpoint with name .* already exists/i,
    reason: 'NameInUse',
  },
  {
    when: /volume is (in use|being used)|has active endpoints|network .*being used|pool overlaps|is already used on the host/i,
    reason: 'InUse',
  },
  { when: /is not connected to (the )?network/i, reason: 'NotFound' },
  {
    when: /unable to find (user|group)|no matching entries in (passwd|group)/i,
    reason: 'UserNotFound',
  },
  {
    when: /invalid (reference|subnet|cidr)|plugin ".*not found/i,
    reason: 'InvalidSpec',
  },
  {
    when: /is already paused|is not paused|is not running|is paused|is restarting|with the same name as its current/i,
    reason: 'Conflict',
  },
  {
    // Somebody else joined another network first: what is to be done now shows at the next look.
    when: /one of the networks in private \(none\) mode/i,
    reason: 'Conflict',
  },
]

/** A registry's answers come through the engine's mouth and mostly with 500 or inside a stream of 200. */
const pullRules: readonly Rule[] = [
  { when: /toomanyrequests|too many requests|rate limit/i, reason: 'RegistryRateLimited' },
  { when: /no space left on device|disk quota exceeded/i, reason: 'NoSpace' },
  { when: /pull access denied/i, reason: 'ImageNotFound' },
  {
    when: /manifest unknown|name unknown|no matching manifest|repository .*(does not exist|not found)|not found: /i,
    reason: 'ImageNotFound',
  },
  {
    when: /unauthorized|authentication required|no basic auth|incorrect username|denied|forbidden/i,
    reason: 'RegistryUnauthorized',
  },
  {
    when: /dial tcp|i\/o timeout|timeout|refused|connection reset|no such host|tls: |x509: |\bEOF$|deadline exceeded|unexpected http|http response to https/i,
    reason: 'RegistryUnavailable',
  },
  { when: /invalid reference/i, reason: 'InvalidSpec' },
]

const codeReasons: Readonly<Record<number, Reason>> = {
  400: 'InvalidSpec',
  403: 'InvalidSpec',
  404: 'NotFound',
  409: 'Conflict',
  503: 'EngineUnavailable',
}

/** Docker Hub hides private repositories: one sentence for "is not there" and for "you may not see it". */
const hiddenRepository =
  ' (the registry gives the same answer for a private repository without valid credentials)'

/** What the engine refused, by what it said. */
export function refusalError(refusal: Refusal): StatusError {
  const rule = engineRules.find(({ when }) => when.test(refusal.message))
  const program = rule?.reason === 'ExecutableNotFound' ? programError(refusal.message) : undefined
  const hint = program === undefined ? '' : ` (${tellProgramError(program)})`
  return new StatusError(rule?.reason ?? reasonOfCode(refusal.statusCode), `${sentence(refusal)}${hint}`)
}

/** Why an image could not be pulled. A 404 without known words is still a missing image. */
export function pullError(refusal: Refusal): StatusError {
  const rule = pullRules.find(({ when }) => when.test(refusal.message))
  const byCode = refusal.statusCode === 404 ? 'ImageNotFound' : reasonOfCode(refusal.statusCode)
  const hint = /pull access denied/i.test(refusal.message) ? hiddenRepository : ''
  return new StatusError(rule?.reason ?? byCode, `${sentence(refusal)}${hint}`)
}

/** The connection could not be made, broke, or stayed silent for too long. */
export function unavailable(host: string, cause: unknown): StatusError {
  return new StatusError(
    'EngineUnavailable',
    `the engine at ${host} does not answer: ${messageOf(cause)}`,
    {},
    {
      cause,
    },
  )
}

/** The engine was replaced by one that does not speak the negotiated API version. */
export function isVersionMismatch(refusal: Refusal): boolean {
  return refusal.statusCode === 400 && /client version .* is too (new|old)/i.test(refusal.message)
}

function reasonOfCode(statusCode: number): Reason {
  return codeReasons[statusCode] ?? 'EngineError'
}

function sentence(refusal: Refusal): string {
  return refusal.message.trim() || `the engine answered with status ${refusal.statusCode}`
}
