/** Places that are asked what they have, and fetched from: repositories, with what their Secrets show, and web addresses. */
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { Secret } from '#pkg/apis/core.ts'
import type { Client } from '#pkg/client/rest.ts'
import type { ContextSource } from '../port.ts'
import type { FetchParts } from './contextfetch.ts'
import { isCommit, resolveCommit } from './git.ts'
import { gitAuthorities, gitLogin, parseGitAddress } from './gitaddress.ts'
import type { GitPlace } from './gitprogram.ts'
import type { Programs } from './program.ts'
import type { PlaceOf } from './sourcequestions.ts'
import { tarRevision } from './tarurl.ts'

export interface SourcePlacesOptions {
  readonly client: Client
  readonly clock: Clock
  readonly programs: Programs
  readonly secretOf: (key: string) => Secret | undefined
  /** For what is only looked at. */
  readonly directory: string
}

/** ms; of each run of git. */
const askPatience = 60_000
const fetchPatience = 1_800_000
/** For a short commit all of a repository may have to be looked at. */
const mostLookedAt = 4 * 1024 ** 3

export class SourcePlaces {
  readonly #options: SourcePlacesOptions

  constructor(options: SourcePlacesOptions) {
    this.#options = options
  }

  async askGit(
    place: PlaceOf<'git'>,
    signal: AbortSignal,
    before: ContextSource | undefined,
  ): Promise<ContextSource> {
    // A commit stays what it is.
    if (before?.type === 'git' && isCommit(place.ref, before.commit)) return before
    const { programs, directory: asking } = this.#options
    const directory = await mkdtemp(join(asking, 'git-'))
    try {
      const bounds = { patience: askPatience, mostBytes: mostLookedAt }
      const session = { place: this.#gitPlace(place), programs, directory, signal, ...bounds }
      return { ...place, commit: await resolveCommit(place.ref, session) }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }

  async askTar(place: PlaceOf<'tar'>, signal: AbortSignal): Promise<ContextSource> {
    const { clock } = this.#options
    return { ...place, revision: await tarRevision(place, { clock, signal, mostBytes: mostLookedAt }) }
  }

  parts(folders: FetchParts['folders']): FetchParts {
    const { client, clock, programs } = this.#options
    return {
      client,
      clock,
      folders,
      gitSession: (place, bounds) => ({
        ...bounds,
        place: this.#gitPlace(place),
        programs,
        patience: fetchPatience,
      }),
    }
  }

  #gitPlace({ url, secret }: Pick<PlaceOf<'git'>, 'url' | 'secret'>): GitPlace {
    const address = parseGitAddress(url)
    const found = secret === undefined ? undefined : this.#options.secretOf(secret)
    const login = gitLogin(address, secret, found)
    const authorities = gitAuthorities(address, secret, found)
    return { address, login, secret, ...(authorities !== undefined && { authorities }) }
  }
}
