/** `cove init build`: a folder from which an image can be built as it is, to begin with. */
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { nearestObjectName } from '#pkg/apis/wellknown.ts'
import { exitCodes, UsageError } from '../errors.ts'
import type { Context } from '../session.ts'

export async function run({ io, args }: Context): Promise<number> {
  const [word = '.', more] = args.positionals
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'init build')
  const directory = resolve(io.cwd, word)
  await mkdir(directory, { recursive: true })
  const name = nearestObjectName(basename(directory))
  const isOwn = await isWritten(join(directory, 'Dockerfile'), dockerfile)
  const files = [
    ...(isOwn ? [['hello.txt', 'Hello\n'] as const] : []),
    ['.dockerignore', ignored] as const,
    ['build.yaml', manifest(name)] as const,
  ]
  const written = isOwn ? ['Dockerfile'] : []
  const kept = isOwn ? [] : ['Dockerfile']
  for (const [file, text] of files)
    if (await isWritten(join(directory, file), text)) written.push(file)
    else kept.push(file)
  const at = (file: string) => join(relative(io.cwd, directory), file)
  const lines = [
    ...written.map((file) => `${at(file)} written`),
    ...kept.map((file) => `${at(file)} is there already, and stays as it is`),
    `cove build -f ${at('build.yaml')} builds it`,
  ]
  await io.stdout.write(lines.map((line) => `${line}\n`).join(''))
  return exitCodes.ok
}

/** Nothing that is there is overwritten. */
async function isWritten(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

const dockerfile = `# scratch is an image of nothing. Of another one: FROM debian:12
FROM scratch
COPY hello.txt /
`

const ignored = `# What is no part of the image, and changes of which make no new build.
.git
.dockerignore
Dockerfile
build.yaml
`

function manifest(name: string): string {
  return `apiVersion: cove.run/v1
kind: Build
metadata:
  name: ${name}
spec:
  context:
    path: .
  tags: [${name}:latest]
`
}
