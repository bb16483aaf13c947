/** What is found of a Build as it is weighed (buildweigh.ts): on what, and what comes of it. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Build, BuildFailure } from '#pkg/apis/build.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { Waiting, World } from '../world.ts'
import type { BasePull } from './buildbases.ts'
import type { BuildFacts, BuildOrder, StoredContext } from './port.ts'
import type { ContextWanted } from './sources/contextkey.ts'

/** Of all stages so far: none of them is given up because a later one has come. */
interface Keyed {
  readonly key: string
  readonly keys: readonly string[]
}

/** Without the number of the attempt, which whoever begins it gives. */
export type Draft = Omit<BuildOrder, 'attempt'>

export type Weighed =
  | { readonly is: 'waiting'; readonly waiting: Waiting; readonly keys: readonly string[] }
  | (Keyed & { readonly is: 'refused'; readonly failure: BuildFailure })
  | (Keyed & { readonly is: 'fetch'; readonly wanted: ContextWanted; readonly cause: string })
  | (Keyed & { readonly is: 'pull'; readonly pulls: readonly BasePull[] })
  | (Keyed & { readonly is: 'due'; readonly draft: Draft })
  | (Keyed & { readonly is: 'current'; readonly told: BuildOrder['told'] })

export interface Subject {
  readonly build: Build
  readonly world: World
  readonly facts: BuildFacts
  readonly wanted: ContextWanted
  readonly stored: StoredContext | undefined
  readonly keys: readonly string[]
}

/** As docker's own client, which takes the usual name also in small letters. */
export function pathOf(dockerfile: string, stored: StoredContext | undefined): string | undefined {
  const names = dockerfile === 'Dockerfile' ? [dockerfile, 'dockerfile'] : [dockerfile]
  return names.find((name) => stored?.dockerfiles[name] !== undefined)
}

export function imageOfName({ metadata }: Build, { desired }: World): Image | undefined {
  return desired.images.get(objectKey({ namespace: 'default', ...metadata }))
}
