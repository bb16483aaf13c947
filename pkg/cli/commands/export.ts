/** `cove export`: all files of a container as one tar archive, to a file or to whoever reads the output. */
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { CliError, exitCodes } from '../errors.ts'
import { oneContainer } from '../looking.ts'
import { builtinResource } from '../resources.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const file = args.text('output')
  if (file === undefined && io.stdout.isTTY)
    throw new CliError('an archive is nothing for a terminal: name a file with -o, or redirect the output')
  const { name, session } = await oneContainer(context, 'export')
  const { client, signal, namespace } = session
  const path = `${objectPath(builtinResource('Container'), { namespace, name })}/export`
  const { body } = await client.stream({ method: 'GET', path, headers: { accept: '*/*' } }, signal)
  if (file !== undefined) await writeWhole(resolve(io.cwd, file), body)
  else for await (const chunk of chunks(body)) await io.stdout.write(chunk)
  return exitCodes.ok
}

/** Under its name only when it is whole. */
async function writeWhole(path: string, body: ApiResponse['body']): Promise<void> {
  const partial = `${path}.partial`
  try {
    await pipeline(chunks(body), createWriteStream(partial))
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    if (error instanceof StatusError || (error instanceof Error && error.name === 'AbortError')) throw error
    throw new CliError(`cannot write ${path}: ${messageOf(error)}`, { cause: error })
  }
}

async function* chunks(body: ApiResponse['body']): AsyncGenerator<string | Uint8Array> {
  if (typeof body === 'string' || body instanceof Uint8Array) yield body
  else yield* body
}
