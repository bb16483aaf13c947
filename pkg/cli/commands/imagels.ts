/** `cove image ls`: the images that the engines of nodes hold, as `docker images` lists them. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { NodeImage } from '#pkg/apis/looks.images.ts'
import { UsageError } from '../errors.ts'
import { type Json, listOf, parseFormat } from '../format.ts'
import { type Choice, chooseImages, parseFilters, unclearlyOrdered } from '../images/filters.ts'
import { compileRows } from '../images/formatted.ts'
import { askEach, imagesOf, nodePath, readNodes, tellFailures } from '../images/nodes.ts'
import { type ImageRow, imageFields, imageRows, type PlacedImage } from '../images/rows.ts'
import type { Context, Session } from '../session.ts'
import { formatTable, type Row } from '../table.ts'

const command = 'image ls'

const titles = {
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  Containers: 'IN USE',
} as const

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const choice = choiceOf(context)
  const print = printer(context)
  const session = await context.session()
  const nodes = await readNodes(args, session)
  const { answers, failures } = await askEach(nodes, (node) => chosenOf(node, choice, session))
  const found = answers.flatMap(({ node, value }) => value.map((image) => ({ ...image, node })))
  const isAnswered = answers.length > 0 || failures.length === 0
  if (isAnswered) await io.stdout.write(await print(found, { several: nodes.length > 1 }))
  return await tellFailures(failures, io)
}

function choiceOf({ args }: Context): Choice {
  const [name, more] = args.positionals
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, command)
  const filters = parseFilters(args.list('filter'), command)
  const references = [...filters.references, ...(name === undefined ? [] : [name])]
  return { ...filters, references, all: args.bool('all') }
}

async function chosenOf(node: string, choice: Choice, session: Session): Promise<readonly NodeImage[]> {
  const images = await imagesOf(node, session)
  const unclear = unclearlyOrdered(images, choice)
  const times = await Promise.all(unclear.map(({ id }) => createdAt(node, id, session)))
  const exact = new Map(unclear.map(({ id }, index) => [id, times[index]]))
  const known = images.map((image) => ({ ...image, createdAt: exact.get(image.id) ?? image.createdAt }))
  return chooseImages(known, choice)
}

async function createdAt(
  node: string,
  image: string,
  { client, signal }: Session,
): Promise<string | undefined> {
  const path = nodePath(node, 'images/details')
  const details = await client.json({ method: 'GET', path, query: { image } }, signal)
  const time = isPlainObject(details) ? details['createdAt'] : undefined
  return typeof time === 'string' ? time : undefined
}

interface Printing {
  /** Whether several nodes were asked. */
  readonly several: boolean
}

type Printer = (images: readonly PlacedImage[], printing: Printing) => Promise<string> | string

/** Throws UsageError before anybody is asked. */
function printer(context: Context): Printer {
  const { io, args } = context
  const [template, output] = [args.text('format'), args.text('output')]
  if (template !== undefined && output !== undefined)
    throw new UsageError('--format and -o exclude each other', command)
  const rowsOf = (images: readonly PlacedImage[], digests: boolean) => {
    const options = { now: io.clock.now(), digests, noTrunc: args.bool('no-trunc') }
    return images.flatMap((image) => imageRows(image, options))
  }
  if (args.bool('quiet'))
    return (images) => [...new Set(rowsOf(images, false).map(({ ID }) => `${ID}\n`))].join('')
  if (template !== undefined && template !== 'table') {
    const print = compileRows(template, { command, fields: imageFields, titles })
    const digests = args.bool('digests') || template.includes('.Digest')
    return (images) => print(rowsOf(images, digests))
  }
  const format = parseFormat(output, { showManagedFields: true, command })
  if (output === 'name')
    return (images) => [...new Set(images.flatMap(namesOf))].map((name) => `${name}\n`).join('')
  if (format.kind === 'objects') return (images) => format.print(listOf(images.map(asObject)))
  return (images, { several }) =>
    table(rowsOf(images, args.bool('digests')), { several, wide: format.wide, context })
}

function namesOf({ id, references, digests }: PlacedImage): readonly string[] {
  const names = [...references, ...(references.length === 0 ? digests : [])]
  return names.length === 0 ? [id] : names
}

function asObject(image: PlacedImage): Json {
  return { apiVersion: 'cove.run/v1', kind: 'NodeImage', ...image }
}

interface TableOptions extends Printing {
  readonly wide: boolean
  readonly context: Context
}

function table(rows: readonly ImageRow[], { several, wide, context: { args } }: TableOptions): string {
  const fields = [
    'Repository',
    'Tag',
    ...(args.bool('digests') ? (['Digest'] as const) : []),
    'ID',
    'CreatedSince',
    'Size',
    ...(several || wide ? (['Node'] as const) : []),
    ...(wide ? (['Containers', 'LastUsed'] as const) : []),
  ] as const
  const header: Row = fields.map((field) => titleOf(field))
  const lines = rows.map((row) => fields.map((field) => row[field]))
  return formatTable([...(args.bool('no-headers') ? [] : [header]), ...lines])
}

function titleOf(field: (typeof imageFields)[number]): string {
  if (field === 'LastUsed') return 'LAST USED'
  return field in titles ? titles[field as keyof typeof titles] : field.toUpperCase()
}
