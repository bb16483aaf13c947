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
    when: /unable to (delete|remove repository reference)|image (is in use|has dependent child)/i,
    reason: 'InUse',
  },
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
  { when: /disk usage operation is already running/i, reason: 'InUse' },
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
  { when: /http response to https|tls: |x509: /i, reason: 'RegistryInsecure' },
  {
    when: /dial tcp|i\/o timeout|timeout|refused|connection reset|broken pipe|no such host|\bEOF$|deadline exceeded|unexpected http|download failed/i,
    reason: 'RegistryUnavailable',
  },
  {
    // What comes is not what a registry says, or not what its digest says.
    when: /invalid character|unexpected end of JSON|error parsing HTTP|redirects|verification failed|unsupported manifest|unsupported media type|invalid checksum|mediatype in manifest|content-length header/i,
    reason: 'RegistryUnavailable',
  },
  { when: /invalid reference/i, reason: 'InvalidSpec' },
]

/** What is wrong with an archive of images, or of an image's files. First match wins. */
const archiveRules: readonly { readonly when: RegExp; readonly means: string }[] = [
  { when: /invalid tar header|unrecognized (image|archive) format/i, means: 'is no tar archive' },
  {
    when: /invalid diffID|digest mismatch|verification failed/i,
    means: 'holds a layer that is not what it says',
  },
  {
    when: /unexpected EOF|corrupt|invalid (checksum|magic|data)|bzip2 data/i,
    means: 'is damaged or breaks off',
  },
  {
    when: /(repositories|manifest\.json|index\.json|oci-layout)["']?: (no such file|not found)/i,
    means: 'holds no image, or is no tar archive',
  },
  {
    // Every folder is taken for a layer of the old format.
    when: /docker-import-\d+\/(?![0-9a-f]{64}\/)[^/]+\/json: no such file/,
    means:
      'holds files and no image (what docker export makes is for source.rootfs, and for cove image import)',
  },
  { when: /no such file or directory|content.*not found/i, means: 'lacks a part of its image' },
  {
    when: /processing tar file|invalid character|unexpected end of JSON|archive\/tar/i,
    means: 'cannot be read',
  },
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

/** What comes is not what registries say. */
const nonsense =
  /invalid character|unexpected end of JSON|error parsing HTTP|redirects|unsupported m|mediatype in manifest|content-length header/i
const noRegistry =
  ' (what answers there does not speak as a registry: check the name, and what stands before it, such as a proxy or a login page)'
const damaged =
  ' (what came is not what its digest says: nothing of it is used; the registry, or what stands before it, hands out damaged data)'
const plainRegistry =
  ' (it does not speak TLS; spec.engine.insecureRegistries of the Node allows that, for registries of your own)'
const untrustedRegistry =
  ' (its certificate is not trusted: put its authority into /etc/docker/certs.d/HOST/ca.crt on the node, or allow it by spec.engine.insecureRegistries of the Node)'

/** What the engine refused, by what it said. */
export function refusalError(refusal: Refusal): StatusError {
  const rule = engineRules.find(({ when }) => when.test(refusal.message))
  const program = rule?.reason === 'ExecutableNotFound' ? programError(refusal.message) : undefined
  const hint = program === undefined ? '' : ` (${tellProgramError(program)})`
  return new StatusError(rule?.reason ?? reasonOfCode(refusal.statusCode), `${sentence(refusal)}${hint}`)
}

/** Why an image could not be pulled. A 404 without known words is still a missing image. */
export function pullError(refusal: Refusal): StatusError {
  const { message, statusCode } = refusal
  const rule = pullRules.find(({ when }) => when.test(message))
  const reason = rule?.reason ?? (statusCode === 404 ? 'ImageNotFound' : reasonOfCode(statusCode))
  const seconds = reason === 'RegistryRateLimited' ? retryAfter(message) : undefined
  const details = seconds === undefined ? {} : { retryAfterSeconds: seconds }
  return new StatusError(reason, `${sentence(refusal)}${registryHint(reason, message)}`, details)
}

/** Why an image could not be pushed. */
export function pushError(refusal: Refusal): StatusError {
  const isMissing = /tag does not exist|does not exist locally|reference does not exist/i.test(
    refusal.message,
  )
  return isMissing ? new StatusError('ImageNotFound', sentence(refusal)) : pullError(refusal)
}

/** Why an archive could not be loaded or imported. */
export function archiveError(refusal: Refusal): StatusError {
  const isFull = /no space left on device|disk quota exceeded/i.test(refusal.message)
  const rule = isFull ? undefined : archiveRules.find(({ when }) => when.test(refusal.message))
  if (rule === undefined) return refusalError(refusal)
  return new StatusError('InvalidSpec', `the archive ${rule.means}: ${sentence(refusal)}`)
}

/** Who it is that cannot be found is an image, and a look or a removal is all that was wanted of it. */
export function imageError(refusal: Refusal): StatusError {
  const error = refusalError(refusal)
  return error.reason === 'ImageNotFound' ? new StatusError('NotFound', error.message) : error
}

function registryHint(reason: Reason, message: string): string {
  if (/pull access denied/i.test(message)) return hiddenRepository
  if (/verification failed|invalid checksum/i.test(message)) return damaged
  if (reason === 'RegistryUnavailable' && nonsense.test(message)) return noRegistry
  if (reason !== 'RegistryInsecure') return ''
  return /http response to https/i.test(message) ? plainRegistry : untrustedRegistry
}

/** In seconds, where the registry's words say so. */
function retryAfter(message: string): number | undefined {
  const match = /(?:retry[- ]after|try again in|wait)\W{0,3}(\d+(?:\.\d+)?) ?(ms|s|m|h)?/i.exec(message)
  if (match === null) return undefined
  const factor = { ms: 0.001, s: 1, m: 60, h: 3600 }[match[2]?.toLowerCase() ?? 's'] ?? 1
  return Math.ceil(Number(match[1]) * factor)
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
