/** `cove search`: Docker Hub as `docker search` does, or the names of another registry's repositories with their tags. */
import { decodeFound, type FoundRepository } from '#pkg/apis/looks.registry.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { askRegistry } from '../images/asknode.ts'
import { compileRows } from '../images/formatted.ts'
import { registryNamed } from '../images/server.ts'
import type { Context, Session } from '../session.ts'
import { formatTable, type Row } from '../table.ts'
import { repositoriesOf, tagsOf } from './registry.ts'

const command = 'search'
const usualLimit = 25
const mostLimit = 100
const shownLetters = 45

export async function run(context: Context): Promise<number> {
  const [term, more] = context.args.positionals
  if (term === undefined || more !== undefined) throw new UsageError('name one term', command)
  const limit = limitOf(context)
  const server = context.args.text('registry')
  const registry = server === undefined ? undefined : registryNamed(server, command)
  const isHub = registry === undefined || registry === 'docker.io'
  const text = isHub
    ? await searchHub({ term, limit }, context)
    : await searchNames({ term, limit, registry }, context)
  await context.io.stdout.write(text)
  return exitCodes.ok
}

function limitOf({ args }: Context): number {
  const text = args.text('limit')
  if (text === undefined) return usualLimit
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (limit < 1 || limit > mostLimit)
    throw new UsageError(`--limit: must be a number from 1 to ${mostLimit}`, command)
  return limit
}

interface Search {
  readonly term: string
  readonly limit: number
}

const hubFields = ['Name', 'Description', 'StarCount', 'IsOfficial'] as const
const hubTitles = { StarCount: 'STARS', IsOfficial: 'OFFICIAL' } as const

async function searchHub({ term, limit }: Search, context: Context): Promise<string> {
  const { args } = context
  const fits = filterOf(args.list('filter'))
  const print = printer({ fields: hubFields, titles: hubTitles }, context)
  const session = await context.session()
  const query = { term, limit: String(limit) }
  const found = decodeFound(await askRegistry({ what: 'search', query }, args, session))
  return print(found.filter(fits).map((each) => hubRow(each, args.bool('no-trunc'))))
}

function hubRow({ name, description, stars, official }: FoundRepository, whole: boolean) {
  const words = description.replace(/\s+/g, ' ').trim()
  const short = words.length > shownLetters ? `${words.slice(0, shownLetters - 1)}…` : words
  return {
    Name: name,
    Description: whole ? words : short,
    StarCount: String(stars),
    IsOfficial: official ? '[OK]' : '',
  }
}

type Filter = (found: FoundRepository) => boolean

/** Throws UsageError for one that Docker does not know. */
function filterOf(filters: readonly string[]): Filter {
  const parts = filters.map(parseFilter)
  return (found) => parts.every((fits) => fits(found))
}

function parseFilter(filter: string): Filter {
  const [key, value = ''] = filter.split('=')
  if (key === 'stars' && /^\d{1,9}$/.test(value)) return ({ stars }) => stars >= Number(value)
  if (key === 'is-official' && (value === 'true' || value === 'false'))
    return ({ official }) => official === (value === 'true')
  throw new UsageError(`--filter: "${filter}" is neither stars=N nor is-official=true|false`, command)
}

const nameFields = ['Name', 'Tags'] as const

async function searchNames(
  { term, limit, registry }: Search & { readonly registry: string },
  context: Context,
): Promise<string> {
  if (context.args.list('filter').length > 0)
    throw new UsageError(`--filter: registry ${registry} tells neither stars nor what is official`, command)
  const print = printer({ fields: nameFields, titles: {} }, context)
  const session = await context.session()
  const repositories = await repositoriesOf(registry, context, session)
  const fitting = repositories.filter((name) => name.includes(term.toLowerCase())).slice(0, limit)
  const rows: { Name: string; Tags: string }[] = []
  for (const name of fitting) rows.push(await nameRow(`${registry}/${name}`, { context, session }))
  return print(rows)
}

async function nameRow(
  reference: string,
  { context, session }: { readonly context: Context; readonly session: Session },
): Promise<{ Name: string; Tags: string }> {
  return { Name: reference, Tags: (await tagsOf(reference, context, session)).join(', ') }
}

interface Columns<F extends string> {
  readonly fields: readonly F[]
  readonly titles: Readonly<Partial<Record<F, string>>>
}

function printer<F extends string>(
  { fields, titles }: Columns<F>,
  { args }: Context,
): (rows: readonly Readonly<Record<F, string>>[]) => string {
  const format = args.text('format')
  if (format !== undefined) return compileRows(format, { command, fields, titles })
  const header: Row = fields.map((field) => titles[field] ?? field.toUpperCase())
  return (rows) => {
    const lines = rows.map((row) => fields.map((field) => row[field]))
    return formatTable([...(args.bool('no-headers') ? [] : [header]), ...lines])
  }
}
