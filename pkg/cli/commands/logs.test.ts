import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { makeCove } from '#test/helpers/cli.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

/** A server that only knows one log. */
async function makeLogServer(t: ExecutionContext, answer: Omit<ApiResponse, 'status'>) {
  const directory = await makeTempDir(t, 'logs')
  const kubeconfig = join(directory, 'kubeconfig')
  const config = {
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'c', namespace: 'team' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://nowhere' } }],
  }
  await writeFile(kubeconfig, JSON.stringify(config))
  const requests: ApiRequest[] = []
  const transport = async (request: ApiRequest) => {
    requests.push(request)
    return { status: 200, ...answer }
  }
  return { cove: makeCove({ transport, kubeconfig, directory }), requests }
}

function frame(stream: 1 | 2, text: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, text.length])
  return Buffer.concat([header, Buffer.from(text)])
}

const plain = { headers: { 'content-type': 'text/plain' }, body: 'line\n' }

test('what a container wrote to each stream comes out of the same stream', async (t) => {
  const body = Buffer.concat([frame(1, 'one\n'), frame(2, 'oops\n'), frame(1, 'two\n')])
  const headers = { 'content-type': 'application/vnd.cove.run.frames' }
  const { cove, requests } = await makeLogServer(t, { headers, body })
  t.deepEqual(await cove('logs web'), { code: 0, stdout: 'one\ntwo\n', stderr: 'oops\n' })
  t.regex(requests[0]?.headers['accept'] ?? '', /^application\/vnd\.cove\.run\.frames/)
})

test('plain text is standard output', async (t) => {
  const { cove } = await makeLogServer(t, plain)
  t.deepEqual(await cove('logs container/web'), { code: 0, stdout: 'line\n', stderr: '' })
})

test('options become the parameters of the API', async (t) => {
  const { cove, requests } = await makeLogServer(t, plain)
  const asked = async (words: string) => {
    await cove(words)
    const request = requests.at(-1)
    return `${request?.path}?${request?.query}`
  }
  const path = '/apis/cove.run/v1/namespaces/team/containers/web/log'
  t.is(await asked('logs web'), `${path}?`)
  t.is(
    await asked('logs -f --tail 20 --since 1500ms ctr/web'),
    `${path}?follow=true&tailLines=20&sinceSeconds=2`,
  )
  t.is(
    await asked('logs container web --timestamps --since-time 2026-01-01T00:00:00Z'),
    `${path}?timestamps=true&sinceTime=2026-01-01T00%3A00%3A00Z`,
  )
})
