/** docs/limits.md says what the sources hold. */
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { maxCauses } from '#pkg/apimachinery/errors.ts'
import { maxBodyBytes } from '#pkg/apimachinery/wire.ts'
import { defaultWindow } from '#pkg/apiserver/cache/cache.ts'
import { defaultMaxLength } from '#pkg/apiserver/cache/changes.ts'
import { usualPatience } from '#pkg/apiserver/door/patience.ts'
import { maxDepth } from '#pkg/apiserver/http/body.ts'
import { maxMessageBytes } from '#pkg/apiserver/streams/websocket.ts'
import { maxOperations } from '#pkg/apiserver/verbs/jsonpatch.ts'
import { maxObjectBytes } from '#pkg/apiserver/verbs/storable.ts'
import { maxKeyedItems } from '#pkg/apiserver/verbs/strategic.ts'
import { maxQueue, maxQueueBytes, readerMs } from '#pkg/apiserver/verbs/watch.ts'
import { annotationLimit } from '#pkg/manifest/metadata.ts'
import { maxAliases, maxNodes } from '#pkg/manifest/yaml.ts'

const count = (value: number) => value.toLocaleString('en')
const seconds = (ms: number) => `${ms / 1000} s`
const size = (bytes: number) => (bytes < 2 ** 20 ? `${bytes / 2 ** 10} KiB` : `${bytes / 2 ** 20} MiB`)

const { handshakeMs, headersMs, requestMs, maxHeaderBytes, maxConnections, maxInFlight } = usualPatience

/** The first cell of a row, and the second. */
const rows: readonly (readonly [string, string])[] = [
  ['body of a request', size(maxBodyBytes)],
  ['object as stored, `managedFields` included', size(maxObjectBytes)],
  ['annotations of an object, together', size(annotationLimit)],
  ['target and headers of a request, together', size(maxHeaderBytes)],
  ['nesting of a body', `${maxDepth} levels`],
  ['aliases of a YAML text, and nodes they grow to', `${count(maxAliases)} and ${count(maxNodes)}`],
  ['operations of a JSON patch', count(maxOperations)],
  ['bytes that a JSON patch copies', size(maxBodyBytes)],
  ['items of a keyed list in a strategic merge patch', count(maxKeyedItems)],
  ['faults of an object that an answer tells', count(maxCauses)],
  ['message of a WebSocket', size(maxMessageBytes)],
  ['TLS handshake', seconds(handshakeMs)],
  ['until the headers of a request are there', seconds(headersMs)],
  ['until its body is there', seconds(requestMs)],
  ['a reader that takes nothing of an answer or a watch', seconds(readerMs)],
  ['connections', count(maxConnections)],
  ['requests at once, streams and watches not counted', count(maxInFlight)],
  ['changes that wait for a slow watch', `${count(maxQueue)}, or ${size(maxQueueBytes)}`],
  [
    'changes per kind that a watch can go on from',
    `${count(defaultWindow)}, or ${size(defaultMaxLength)} of objects`,
  ],
]

test('the page of limits tells the limits', async (t) => {
  const page = await readFile(new URL('../docs/limits.md', import.meta.url), 'utf8')
  for (const [what, limit] of rows) t.true(page.includes(`| ${what} | ${limit} |`), `${what}: ${limit}`)
  t.is(usualPatience.readerMs, readerMs)
})
