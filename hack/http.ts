/**
 * What curl would do, for machines without it.
 *   node hack/http.ts get URL                  prints the body; fails when the status is not 2xx
 *   node hack/http.ts ready KUBECONFIG SECONDS waits until the API server of a kubeconfig says that it is ready
 */
import { readFileSync } from 'node:fs'
import { request as plain } from 'node:http'
import { type RequestOptions, request as secure } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

const timeoutMs = 5_000
const pauseMs = 100

function get(url: string, options: RequestOptions = {}): Promise<string> {
  const start = url.startsWith('https:') ? secure : plain
  return new Promise((done, fail) => {
    const asked = start(url, { ...options, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.once('error', fail)
      answer.once('end', () => {
        const body = Buffer.concat(chunks).toString()
        const { statusCode = 0 } = answer
        if (statusCode >= 200 && statusCode < 300) done(body)
        else fail(new Error(`${url}: ${statusCode} ${body.trim()}`))
      })
    })
    asked.once('error', fail)
    asked.end()
  })
}

/** Values of the first cluster and user; `cove up` writes one of each. */
function readKubeconfig(path: string): { server: string; options: RequestOptions } {
  const text = readFileSync(path, 'utf8')
  const value = (key: string) => new RegExp(`^[\\s-]*"?${key}"?:\\s*"?([^\\s",]+)`, 'm').exec(text)?.[1]
  const pem = (key: string) => {
    const encoded = value(key)
    return encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString()
  }
  const server = value('server')
  if (server === undefined) throw new Error(`${path} names no server`)
  const token = value('token')
  const [ca, cert, key] = ['certificate-authority-data', 'client-certificate-data', 'client-key-data'].map(
    pem,
  )
  return {
    server,
    options: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
    },
  }
}

async function ready(kubeconfig: string, seconds: number): Promise<void> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    try {
      const { server, options } = readKubeconfig(kubeconfig)
      await get(new URL('/readyz', server).href, options)
      return
    } catch (error) {
      if (performance.now() >= deadline) throw new Error(`not ready after ${seconds} s`, { cause: error })
    }
    await sleep(pauseMs)
  }
}

async function main([verb, target = '', seconds = '30']: readonly string[]): Promise<void> {
  if (verb === 'get') process.stdout.write(await get(target))
  else if (verb === 'ready') await ready(target, Number(seconds))
  else throw new Error('usage: http.ts get URL | ready KUBECONFIG SECONDS')
}

await main(process.argv.slice(2))
