/** Images as the rows of `docker images`: one for each name, so that an image with two names is there twice. Pure. */
import type { NodeImage } from '#pkg/apis/looks.images.ts'
import { aboutText, decimalText, shortID } from '../dockertext.ts'
import { partsOf } from './filters.ts'

const none = '<none>'

export interface PlacedImage extends NodeImage {
  readonly node: string
}

/** What templates know, with Docker's names. */
export const imageFields = [
  'ID',
  'Repository',
  'Tag',
  'Digest',
  'CreatedSince',
  'CreatedAt',
  'Size',
  'Containers',
  'Labels',
  'Node',
  'LastUsed',
] as const

export type ImageRow = Readonly<Record<(typeof imageFields)[number], string>>

export interface RowOptions {
  readonly now: number
  readonly digests: boolean
  readonly noTrunc: boolean
}

export function imageRows(image: PlacedImage, options: RowOptions): ImageRow[] {
  const { id, createdAt, sizeBytes, containers, labels, node, lastUsedAt } = image
  const created = Date.parse(createdAt)
  const shared = {
    ID: options.noTrunc ? id : shortID(id),
    CreatedSince: `${aboutText(options.now - created)} ago`,
    CreatedAt: goTime(created),
    Size: decimalText(sizeBytes),
    Containers: String(containers.length),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .toSorted()
      .join(','),
    Node: node,
    LastUsed: lastUsedAt === undefined ? '' : `${aboutText(options.now - Date.parse(lastUsedAt))} ago`,
  }
  return namesOf(image, options).map((names) => ({ ...shared, ...names }))
}

type Names = Pick<ImageRow, 'Repository' | 'Tag' | 'Digest'>

function namesOf({ references, digests }: NodeImage, options: RowOptions): Names[] {
  const digestsOf = Map.groupBy(digests.map(partsOf), ({ repository }) => repository)
  const tagged = references.map(partsOf).flatMap(({ repository, tag = none }): Names[] => {
    const found = digestsOf.get(repository)?.map(({ digest = none }) => digest) ?? [none]
    return (options.digests ? found : [none]).map((Digest) => ({ Repository: repository, Tag: tag, Digest }))
  })
  const withTag = new Set(tagged.map(({ Repository }) => Repository))
  const untagged = [...digestsOf].flatMap(([repository, found]): Names[] => {
    if (withTag.has(repository)) return []
    const shown = options.digests ? found.map(({ digest = none }) => digest) : [none]
    return shown.map((Digest) => ({ Repository: repository, Tag: none, Digest }))
  })
  const rows = [...tagged, ...untagged]
  return rows.length > 0 ? rows : [{ Repository: none, Tag: none, Digest: none }]
}

/** `2026-11-21 02:09:34 +0000 UTC` */
export function goTime(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`
}
