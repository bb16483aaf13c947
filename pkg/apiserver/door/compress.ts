/** Compression of large answers for clients that ask for it: kubectl does, and lists shrink to about a tenth. */
import type { IncomingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'

/** Below this the time costs more than the bytes, as Kubernetes measured it. */
export const compressFromBytes = 128 * 1024

const gzipAsync = promisify(gzip)

/** The body and headers to send: compressed, or as they were. Runs in the thread pool. */
export async function compress(
  body: string | Uint8Array,
  asked: IncomingHttpHeaders,
  headers: Readonly<Record<string, string>>,
): Promise<{ body: string | Uint8Array; headers: Readonly<Record<string, string>> }> {
  if (body.length < compressFromBytes || !isText(headers) || !acceptsGzip(asked['accept-encoding'])) {
    return { body, headers }
  }
  const vary = headers['vary'] === undefined ? 'Accept-Encoding' : `${headers['vary']}, Accept-Encoding`
  const compressed = await gzipAsync(body, { level: constants.Z_BEST_SPEED })
  return { body: compressed, headers: { ...headers, 'content-encoding': 'gzip', vary } }
}

function isText(headers: Readonly<Record<string, string>>): boolean {
  const type = headers['content-type'] ?? ''
  return headers['content-encoding'] === undefined && /^(application\/json|text\/)/.test(type)
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? '')
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .some((coding) => /^gzip\s*(;\s*q=(1|0?\.\d*[1-9]\d*)(\.0+)?)?$/.test(coding))
}
