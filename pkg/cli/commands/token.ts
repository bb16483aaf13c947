/** `cove token`: join tokens, by which a new machine becomes a node. */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { humanDuration, parseDuration } from '#pkg/apimachinery/quantity.ts'
import {
  type BootstrapToken,
  bootstrapExpiration,
  bootstrapKeys,
  bootstrapSecretName,
  bootstrapTokenType,
  bootstrapValue,
  isBootstrapTokenId,
  makeBootstrapToken,
  systemNamespace,
} from '#pkg/apis/bootstraptoken.ts'
import { type Secret, secretKind } from '#pkg/apis/core.ts'
import { caPin } from '#pkg/client/capin.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import type { Context, Session } from '../session.ts'
import { formatTable } from '../table.ts'

export async function run(context: Context): Promise<number> {
  const [verb = '', ...rest] = context.args.positionals
  if (verb === 'create') return create(context, rest)
  if (verb === 'list') return list(context, rest)
  if (verb === 'delete') return remove(context, rest)
  throw new UsageError(verb === '' ? 'say create, list or delete' : `unknown action "${verb}"`, 'token')
}

const defaultTtl = '24h'
const nodeName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

async function create({ io, args, session: open }: Context, rest: readonly string[]): Promise<number> {
  noMore(rest)
  const node = args.text('node')
  if (node !== undefined && !nodeName.test(node))
    throw new UsageError(`--node: "${node}" is no name of a node`, 'token')
  const ttl = readTtl(args.text('ttl') ?? defaultTtl)
  const session = await open()
  const server = readServer(args.text('server') ?? session.server)
  // Before anything is made: without the authority nobody could be told how to join.
  const pin = pinOf(session)
  const expiration = ttl === 0 ? undefined : timestamp(io.clock.now() + ttl)
  const token = makeBootstrapToken(() => io.random.next())
  const secret = tokenSecret(token, { expiration, description: args.text('description'), node })
  await session.client.create(secretKind, secret, session.signal)
  const text = `${token.id}.${token.secret}`
  if (args.text('output') === 'token') {
    await io.stdout.write(`${text}\n`)
    return exitCodes.ok
  }
  const good = ttl === 0 ? 'does not expire' : `is good for ${humanDuration(ttl)}`
  await io.stderr.write(`# On the machine that is to join. The token ${good}, and is not shown again.\n`)
  if (isLoopback(server))
    await io.stderr.write(
      `# ${server} reaches this machine only: for others, start the server with --listen 0.0.0.0:7443, and say --server https://HOST:7443 here.\n`,
    )
  const flags = ['--join', server, '--ca-pin', pin, ...(node === undefined ? [] : ['--node-name', node])]
  // By standard input: everybody on that machine can read the words of a command line.
  await io.stdout.write(`cove agent ${flags.join(' ')} --token-file - <<'EOF'\n${text}\nEOF\n`)
  return exitCodes.ok
}

interface Wishes {
  readonly expiration: string | undefined
  readonly description: string | undefined
  readonly node: string | undefined
}

function tokenSecret({ id, secret }: BootstrapToken, { expiration, description, node }: Wishes): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: bootstrapSecretName(id), namespace: systemNamespace },
    type: bootstrapTokenType,
    stringData: {
      [bootstrapKeys.id]: id,
      [bootstrapKeys.secret]: secret,
      [bootstrapKeys.authentication]: 'true',
      ...(expiration !== undefined && { [bootstrapKeys.expiration]: expiration }),
      ...(description !== undefined && { [bootstrapKeys.description]: description }),
      ...(node !== undefined && { [bootstrapKeys.nodeName]: node }),
    },
  }
}

async function list({ io, args, session: open }: Context, rest: readonly string[]): Promise<number> {
  noMore(rest)
  const { client, signal } = await open()
  const select = { namespace: systemNamespace, fieldSelector: `type=${bootstrapTokenType}` }
  const { items } = await client.list(secretKind, select, signal)
  const now = io.clock.now()
  const rows = items.map((secret) => [
    bootstrapValue(secret, 'id') ?? '',
    bootstrapValue(secret, 'nodeName') ?? '<any new>',
    expires(bootstrapExpiration(secret), now),
    bootstrapValue(secret, 'description') ?? '',
  ])
  const header = args.bool('no-headers') ? [] : [['ID', 'NODE', 'EXPIRES', 'DESCRIPTION']]
  if (items.length === 0) await io.stderr.write('No tokens found.\n')
  else await io.stdout.write(formatTable([...header, ...rows]))
  return exitCodes.ok
}

function expires(end: number, now: number): string {
  if (end === Number.POSITIVE_INFINITY) return '<never>'
  return end <= now ? 'expired' : `in ${humanDuration(end - now)}`
}

async function remove({ io, session: open }: Context, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) throw new UsageError('the ID of a token is required', 'token')
  const wrong = ids.find((id) => !isBootstrapTokenId(id))
  // Not repeated: it may be a whole token.
  if (wrong !== undefined)
    throw new UsageError('an ID has six letters and digits, as `cove token list` shows it', 'token')
  const { client, signal } = await open()
  for (const id of ids) {
    await client.delete(secretKind, { namespace: systemNamespace, name: bootstrapSecretName(id) }, signal)
    await io.stdout.write(`token "${id}" deleted\n`)
  }
  return exitCodes.ok
}

function noMore(rest: readonly string[]): void {
  if (rest.length > 0) throw new UsageError(`unexpected "${rest[0]}"`, 'token')
}

function readTtl(text: string): number {
  const ttl = parseDuration(text)
  if (ttl !== undefined) return ttl
  throw new UsageError(`--ttl: "${text}" is no duration such as 30m or 24h`, 'token')
}

/** Without a path, as the agent takes it. Throws UsageError for what no agent could reach safely. */
function readServer(text: string): string {
  if (URL.canParse(text) && new URL(text).protocol === 'https:') return new URL(text).origin
  throw new UsageError(`--server: "${text}" is no URL such as https://cove.example:7443`, 'token')
}

function pinOf({ ca }: Session): string {
  if (ca !== undefined) return caPin(ca)
  throw new CliError(
    'the kubeconfig does not name the authority of the server, so no machine could tell it from another',
  )
}

function isLoopback(server: string): boolean {
  const { hostname } = new URL(server)
  return hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')
}
