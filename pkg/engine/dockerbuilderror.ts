/**
 * Why a build failed, from what the builders say: the door for their words, as dockererror.ts is for the engine's.
 * BuildError: it fails again until something that it is made of changes. Other reasons pass by themselves.
 */
import { isReason, type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { BuildError, type BuildFailureDetails } from './builds.ts'
import type { ToldFailure } from './dockerbuildclassic.ts'
import { archiveError, pullError, type Refusal, refusalError } from './dockererror.ts'

const parseLine = /dockerfile parse error (?:on )?line (\d+)|Dockerfile:(\d+)$/im
const ofDockerfile =
  /dockerfile parse error|failed to parse dockerfile|dockerfile.*cannot be empty|cannot locate specified dockerfile|failed to read dockerfile|build target|target stage .* could not be found|unknown instruction|is required to have|no build stage|no image was generated|requires BuildKit/i
const isFull = /no space left on device|disk quota exceeded/i
const ofRegistry =
  /^Get "?https?:\/\/|^Head "?https?:\/\/|pull access denied|manifest (for .* not found|unknown)|no matching manifest|toomanyrequests|unauthorized|error response from registry|: not found$|repository .* not found|failed to (resolve|authorize|do request|copy)|authorization failed|insufficient_scope|no basic auth|does not match the specified platform|no such image/i
const namesBase = /^FROM\s|^(?:COPY|ADD)\s.*--from=|^RUN\s.*\bfrom=/is
/** A file of the context, or of a stage, that a step wants. */
const missingFile = /"[^"]*":? not found(?:: not found)?$|no such file or directory$/
/** `ADD` of an address that did not answer, or has trouble of its own. */
const awayFile = /^(?:ADD failed: )?Get "?https?:\/\/|with status 5\d\d|invalid response status 5\d\d/i
const isAdd = /^ADD\s/i
const archive =
  /^Error (processing|unpacking) tar|archive\/tar|invalid tar header|(?:unexpected EOF|error reading).*context/i
const missingNetwork = /network \S+ not found/i
/** BuildKit asked whether the file of an ADD had changed; HTTP lets a server say no without saying which it means. */
const unnamedFile = /^invalid not-modified ETag/
const unnamedText =
  '(the server of an ADD says that its file has not changed, without its ETag, which BuildKit does not take: spec.builder Classic does, or fetch it with RUN)'
/** That a step goes on from: somebody has removed it since the step before. */
const lostImage = /^(?:No such image: |unable to find image "?)sha256:/
const damagedEngine =
  /context canceled|error committing|layer does not exist|no active session|transport is closing/i

/** Of a call that was refused before anything was built. */
export function buildRefusal(refusal: Refusal): StatusError {
  const { statusCode, message } = refusal
  if (ofDockerfile.test(message)) return failedBuild({ message })
  if (archive.test(message)) return archiveError(refusal)
  if (/not supported by buildkit/i.test(message)) return invalid(message)
  const known = refusalError(refusal)
  if (statusCode === 400 && known.reason === 'InvalidSpec') return invalid(message)
  return known.reason === 'NotFound' ? new StatusError('EngineError', known.message) : known
}

/** Of a build under way. */
export function buildFailure(failure: ToldFailure): StatusError {
  const { message, exitCode, instruction = '' } = failure
  if (exitCode !== undefined) return failedBuild(failure)
  if (isFull.test(message)) return new StatusError('NoSpace', message)
  if (ofDockerfile.test(message)) return failedBuild(failure)
  if (isAdd.test(instruction) && awayFile.test(message)) return new StatusError('SourceUnavailable', message)
  if (missingFile.test(message)) return failedBuild(failure)
  if (unnamedFile.test(message))
    return failedBuild({ ...failure, message: `${message.trim()} ${unnamedText}` })
  const words = message.replace(/^invalid from flag value \S+: /, '')
  if (ofRegistry.test(words) && (namesBase.test(instruction) || words !== message))
    return baseError(words, message)
  if (archive.test(message)) return archiveError({ statusCode: 200, message })
  const reason = ownTrouble(message)
  return reason === undefined ? failedBuild(failure) : new StatusError(reason, message)
}

/** What is wrong with the engine, or with what it is to use, and not with what is built. */
function ownTrouble(message: string): Reason | undefined {
  if (lostImage.test(message)) return 'ImageNotFound'
  return missingNetwork.test(message) || damagedEngine.test(message) ? 'EngineError' : undefined
}

/** Of an image that a step names. */
function baseError(words: string, message: string): StatusError {
  if (/does not match the specified platform|no such image/i.test(words))
    return new StatusError('ImageNotFound', message)
  const error = pullError({ statusCode: 404, message: words })
  return isReason(error, 'InvalidSpec') ? invalid(message) : error
}

function failedBuild(failure: ToldFailure): BuildError {
  const { message, step, exitCode } = failure
  const found = parseLine.exec(message)
  const line = Number(found?.[1] ?? found?.[2] ?? 0)
  const details: BuildFailureDetails = {
    ...(step !== undefined && { step }),
    ...(exitCode !== undefined && { exitCode }),
    ...(line > 0 && { line }),
  }
  return new BuildError(message, details)
}

function invalid(message: string): StatusError {
  return new StatusError('InvalidSpec', message)
}
