/** `cove build cancel`: breaks off what is being built. */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { cancelAnnotation } from '#pkg/apis/wellknown.ts'
import { readBuild } from '../builds/asked.ts'
import { asBuild } from '../builds/outcome.ts'
import { placeOf } from '../builds/place.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { Followed, type FollowedObject, type Found } from '../followed.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { parseTimeout } from '../waiting.ts'

const command = 'build cancel'

export async function run({ io, args, session: open }: Context): Promise<number> {
  if (args.positionals.length === 0) throw new UsageError('name a Build', command)
  const session = await open()
  const timeoutMs = await parseTimeout(args.text('timeout') ?? '1m', command)
  for (const word of args.positionals) {
    const name = nameOf(word)
    const was = await cancel(name, session, timeoutMs)
    await io.stdout.write(`build.cove.run/${name} ${was}\n`)
  }
  return exitCodes.ok
}

function nameOf(word: string): string {
  const place = placeOf(word)
  if (place.kind === 'build') return place.name
  if (place.kind === 'word') return place.word
  throw new UsageError(`"${word}" is not the name of a Build`, command)
}

async function cancel(name: string, session: Session, timeoutMs: number): Promise<string> {
  const { client, signal, namespace } = session
  const before = await readBuild(session, name)
  const { phase } = asBuild(before).status ?? {}
  if (phase !== 'Building' && phase !== 'Preparing' && phase !== 'Pending')
    throw new CliError(`build ${name} is ${phase ?? 'not seen by a node yet'}: nothing is under way`)
  const value = timestamp(session.clock.now())
  const body = JSON.stringify({ metadata: { annotations: { [cancelAnnotation]: value } } })
  const headers = { 'content-type': 'application/merge-patch+json' }
  const path = objectPath(builtinResource('Build'), { namespace, name })
  await client.json({ method: 'PATCH', path, query: { fieldManager: 'cove-build' }, headers, body }, signal)
  const followed = new Followed(session, builtinResource('Build'), before)
  try {
    return await followed.until((seen) => answerOf(seen, value), { timeoutMs })
  } finally {
    followed.close()
  }
}

function answerOf({ object, isGone }: FollowedObject, value: string): Found<string> {
  if (isGone) return { value: 'is gone' }
  const { status = {} } = asBuild(object)
  if (status.canceled !== value || status.phase === 'Building') return {}
  return { value: status.phase === 'Succeeded' ? 'was done before it could be canceled' : 'canceled' }
}
