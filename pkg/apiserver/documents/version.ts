/** `/version`: which API is spoken, and which Cove speaks it. Anyone may read it. */
import { jsonAnswer, onlyReads, type Surface } from '../http/answer.ts'

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

/** Answers `/version`. */
export function version(build: BuildInfo): Surface {
  return (request) => {
    if (request.path !== '/version' && request.path !== '/version/') return undefined
    onlyReads(request)
    return jsonAnswer(versionInfo(build))
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
