/** Warnings that come with answers: the server did what was asked, and has something to say about it. */
import type { Transport } from '#pkg/apimachinery/transport.ts'

/** Hands on what each answer warns of before the answer itself. */
export function withWarnings(transport: Transport, tell: (text: string) => Promise<void>): Transport {
  return async (request) => {
    const response = await transport(request)
    for (const text of readWarnings(response.headers['warning'] ?? '')) await tell(text)
    return response
  }
}

/** The texts in a header of RFC 7234 warn-values with the code 299, which is the one that Kubernetes uses. */
export function readWarnings(header: string): string[] {
  const values = header.matchAll(/(?:^|,)\s*299 \S+ "((?:[^"\\]|\\.)*)"/g)
  return [...values].map(([, quoted = '']) => quoted.replace(/\\(.)/g, '$1'))
}
