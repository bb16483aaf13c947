/** Lines out of a chunked body, whatever the chunk boundaries, multi-byte characters included. */
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'

/** Yields each line without its newline; a last line without one too. Lines are not bounded: the server is trusted. */
export async function* readLines(body: ApiResponse['body']): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let rest = ''
  const chunks = typeof body === 'string' || body instanceof Uint8Array ? [body] : body
  for await (const chunk of chunks) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}
