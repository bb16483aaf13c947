/** Docker's own client building without BuildKit, and an engine that only keeps what it is sent. */
import { execFile } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { makeTempDir } from './tempdir.ts'

const run = promisify(execFile)

export interface DockerClient {
  /** The archive that it sends; undefined when it refuses, `complaint` is what it says then. */
  build(directory: string, ...flags: string[]): Promise<{ archive: Buffer | undefined; complaint: string }>
}

export async function startDockerClient(t: ExecutionContext): Promise<DockerClient> {
  const dir = await makeTempDir(t, 'dockerclient')
  const socket = join(dir, 'engine.sock')
  let archive: Buffer | undefined
  const server = createServer((request, response) => {
    answer(request, response).then(
      (body) => {
        archive = body ?? archive
      },
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    )
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  t.teardown(() => server.close())
  const env = { PATH: process.env['PATH'], HOME: dir, DOCKER_BUILDKIT: '0', DOCKER_HOST: `unix://${socket}` }
  return {
    async build(directory, ...flags) {
      archive = undefined
      const { stderr, failed } = await run('docker', ['build', ...flags, directory], { env }).then(
        (done) => ({ ...done, failed: false }),
        (error: { stderr: string }) => ({ stderr: error.stderr, failed: true }),
      )
      return { archive: failed ? undefined : archive, complaint: stderr }
    },
  }
}

/** Of a build the body. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<Buffer | undefined> {
  const headers = {
    'Api-Version': '1.41',
    'Builder-Version': '1',
    Ostype: 'linux',
    'content-type': 'application/json',
  }
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  response.writeHead(200, headers)
  if (!request.url?.includes('/build?')) {
    response.end(request.url?.includes('_ping') === true ? 'OK' : '{}')
    return undefined
  }
  response.end('{"stream":"done"}\n')
  return Buffer.concat(chunks)
}
