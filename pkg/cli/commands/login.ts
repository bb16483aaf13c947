/** `cove login`: the registry is asked whether the password is good, and then it is stored for the namespace. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { encodeRegistryAuth, type RegistryLogin, registryAuthHeader } from '#pkg/apis/registryauth.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { askRegistry } from '../images/asknode.ts'
import { registryNamed } from '../images/server.ts'
import { storeLogin } from '../images/stored.ts'
import { type Keyboard, keyboard } from '../keyboard.ts'
import type { Context, Session } from '../session.ts'

const command = 'login'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [server, more] = args.positionals
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, command)
  const registry = registryNamed(server, command)
  const credentials = await readCredentials(context)
  const session = await context.session()
  if (!args.bool('skip-check')) await check(registry, credentials, { context, session })
  await storeLogin(registry, credentials, session)
  await io.stdout.write(args.bool('skip-check') ? 'Login stored, not checked\n' : 'Login Succeeded\n')
  return exitCodes.ok
}

async function check(
  registry: string,
  credentials: RegistryLogin,
  { context, session }: { readonly context: Context; readonly session: Session },
): Promise<void> {
  const headers = { [registryAuthHeader]: encodeRegistryAuth(credentials) }
  try {
    await askRegistry({ what: 'login', query: { server: registry }, headers }, context.args, session)
  } catch (error) {
    if (!isReason(error, 'RegistryUnauthorized')) throw error
    throw new CliError(`unauthorized: ${error.message}`)
  }
}

async function readCredentials(context: Context): Promise<RegistryLogin> {
  const { args, io } = context
  const given = args.text('password')
  if (given !== undefined && args.bool('password-stdin'))
    throw new UsageError('--password and --password-stdin exclude each other', command)
  if (given !== undefined)
    await io.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n')
  if (args.bool('password-stdin')) return fromStdin(await io.readStdin(), args.text('username'))
  const keys = keyboard(io)
  try {
    const username = args.text('username') ?? (await asked(keys, 'Username: ', '-u'))
    const password = given ?? (await asked(keys, 'Password: ', '--password-stdin'))
    return complete({ username, password })
  } finally {
    keys.close()
  }
}

/** The line end that `echo` writes is not part of it. */
function fromStdin(text: string, username: string | undefined): RegistryLogin {
  if (username === undefined) throw new UsageError('--password-stdin needs --username', command)
  return complete({ username, password: text.replace(/\r?\n$/, '') })
}

async function asked(keys: Keyboard, question: string, flag: string): Promise<string> {
  if (!keys.isThere) throw new UsageError(`nobody can be asked here: give it with ${flag}`, command)
  return question.startsWith('Password') ? await keys.hidden(question) : (await keys.line(question)).trim()
}

function complete(login: RegistryLogin): RegistryLogin {
  if (login.username === '') throw new UsageError('the user name is empty', command)
  if (login.username.includes(':')) throw new UsageError('a user name holds no colon', command)
  if (login.password === '') throw new UsageError('the password is empty', command)
  return login
}
