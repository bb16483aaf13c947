/** `/version`, and the health endpoints that supervisors and load balancers ask. Anyone may read them. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { jsonAnswer, onlyReads, type Surface } from './answer.ts'

/** kubectl's dispatcher picks a client of this minor version, so it names the API that is spoken, not Cove's own. */
const kubernetes = { major: '1', minor: '32' } as const

export interface BuildInfo {
  /** Cove's own, such as 0.1.0. */
  readonly version: string
  /** As Go writes them: linux/amd64. */
  readonly platform: string
  readonly commit?: string
  /** RFC 3339. */
  readonly buildDate?: string
}

export interface VersionOptions {
  readonly build: BuildInfo
  /** Whether storage answers and every cache is filled: until then clients should not be sent here. */
  readonly ready: () => boolean
}

/** Answers `/version`, `/livez`, `/readyz` and `/healthz`. */
export function version({ build, ready }: VersionOptions): Surface {
  const answers: Readonly<Record<string, () => ApiResponse>> = {
    '/version': () => jsonAnswer(versionInfo(build)),
    '/livez': () => text('ok'),
    '/readyz': () => readiness(ready()),
    '/healthz': () => readiness(ready()),
  }
  return (request) => {
    const answer = Object.hasOwn(answers, request.path) ? answers[request.path] : undefined
    if (answer === undefined) return undefined
    onlyReads(request)
    return answer()
  }
}

function versionInfo(build: BuildInfo) {
  return {
    ...kubernetes,
    gitVersion: `v${kubernetes.major}.${kubernetes.minor}.0+cove.${build.version}`,
    gitCommit: build.commit ?? '',
    gitTreeState: build.commit === undefined ? '' : 'clean',
    buildDate: build.buildDate ?? '',
    goVersion: '',
    compiler: '',
    platform: build.platform,
  }
}

function readiness(ready: boolean): ApiResponse {
  if (ready) return text('ok')
  throw new StatusError('ServiceUnavailable', 'the server is starting, or its storage does not answer')
}

function text(body: string): ApiResponse {
  return {
    status: 200,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' },
    body,
  }
}
