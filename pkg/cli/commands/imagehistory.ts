/** `cove image history`: of which steps an image was made, the newest first, as `docker history` prints it. */
import { decodeHistory, type ImageHistoryLine } from '#pkg/apis/looks.images.ts'
import { aboutText, decimalText, shortID } from '../dockertext.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { compileRows } from '../images/formatted.ts'
import { findImage, heldImages } from '../images/meant.ts'
import { nodePath, readNodes } from '../images/nodes.ts'
import type { Context } from '../session.ts'
import { formatTable } from '../table.ts'

const command = 'image history'
const fields = ['ID', 'CreatedSince', 'CreatedAt', 'CreatedBy', 'Size', 'Comment'] as const
const titles = { ID: 'IMAGE', CreatedSince: 'CREATED' } as const
const shownLength = 45
/** Before it nobody made an image: builders that want the same bytes each time say so. */
const epoch = Date.UTC(2000, 0, 1)

type HistoryRow = Readonly<Record<(typeof fields)[number], string>>

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [word, more] = args.positionals
  if (word === undefined || more !== undefined) throw new UsageError('name one image', command)
  const template = args.text('format')
  const print =
    template === undefined || template === 'table'
      ? (rows: readonly HistoryRow[]) => table(rows, context)
      : compileRows(template, { command, fields, titles })
  const session = await context.session()
  const { node, image } = findImage(word, await heldImages(await readNodes(args, session), session))
  const path = nodePath(node, 'images/history')
  const query = { image: image.id }
  const lines = decodeHistory(await session.client.json({ method: 'GET', path, query }, session.signal))
  const rows = lines.map((line) => rowOf(line, context))
  await io.stdout.write(args.bool('quiet') ? rows.map(({ ID }) => `${ID}\n`).join('') : print(rows))
  return exitCodes.ok
}

function rowOf(line: ImageHistoryLine, { io, args }: Context): HistoryRow {
  const { id, createdAt, createdBy, sizeBytes, comment } = line
  const isWhole = args.bool('no-trunc')
  const isHuman = !args.has('human') || args.bool('human')
  const created = Date.parse(createdAt)
  const at = createdAt.replace(/\.\d+/, '')
  const since = created <= epoch ? '' : `${aboutText(io.clock.now() - created)} ago`
  const by = createdBy.replaceAll('\t', ' ')
  return {
    ID: isWhole ? id : shortID(id),
    CreatedSince: isHuman ? since : at,
    CreatedAt: at,
    CreatedBy: isWhole || by.length <= shownLength ? by : `${[...by].slice(0, shownLength - 1).join('')}…`,
    Size: isHuman ? decimalText(sizeBytes) : String(sizeBytes),
    Comment: comment,
  }
}

function table(rows: readonly HistoryRow[], { args }: Context): string {
  const header = ['IMAGE', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT']
  const lines = rows.map((row) => [row.ID, row.CreatedSince, row.CreatedBy, row.Size, row.Comment])
  return formatTable([...(args.bool('no-headers') ? [] : [header]), ...lines])
}
