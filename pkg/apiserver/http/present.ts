/** Texts of objects in the form that was asked for. Whoever asks for JSON gets the cached texts, joined. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { type Encoding, plainEncoding } from '../cache/changes.ts'
import { decodeObject } from '../cache/encoded.ts'
import type { RequestInfo } from './request.ts'
import { type ListMeta, partialText, tableText } from './table.ts'

type Form = Pick<RequestInfo, 'kind' | 'accept' | 'options'>

/** One object as the asker wants it. */
export function objectText(form: Form, text: string, now: number): string {
  switch (form.accept) {
    case 'Table':
      return tableText(form.kind, [text], { resourceVersion: revisionOf(text) }, tableOptions(form, now))
    case 'PartialObjectMetadata':
      return partialText(decodeObject(text))
    default:
      return text
  }
}

export function listText(form: Form, texts: readonly string[], metadata: ListMeta, now: number): string {
  switch (form.accept) {
    case 'Table':
      return tableText(form.kind, texts, metadata, tableOptions(form, now))
    case 'PartialObjectMetadata': {
      const type = { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }
      return joined(
        { ...type, metadata },
        texts.map((text) => partialText(decodeObject(text))),
      )
    }
    default: {
      const type = { kind: `${form.kind.kind}List`, apiVersion: apiVersionOf(form.kind) }
      return joined({ ...type, metadata }, texts)
    }
  }
}

/** How watch events are encoded; watches that ask for the same form share the bytes. */
export function encodingOf(form: Form, now: () => number): Encoding {
  if (form.accept === 'JSON') return plainEncoding
  const name = form.accept === 'Table' ? `Table/${form.options.includeObject}` : form.accept
  return { name, encode: (text) => objectText(form, text, now()) }
}

/** Says only that everything up to the revision has been sent. */
export function bookmarkText(form: Form, revision: number, initialEventsEnd: boolean): string {
  const metadata = {
    resourceVersion: String(revision),
    ...(initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }),
  }
  switch (form.accept) {
    case 'Table':
      return JSON.stringify({
        kind: 'Table',
        apiVersion: 'meta.k8s.io/v1',
        metadata,
        columnDefinitions: null,
        rows: [],
      })
    case 'PartialObjectMetadata':
      return JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata })
    default:
      return JSON.stringify({ kind: form.kind.kind, apiVersion: apiVersionOf(form.kind), metadata })
  }
}

export function jsonResponse(status: number, body: string, warnings: readonly string[] = []): ApiResponse {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' }
  return { status, headers: { ...headers, ...warningHeader(warnings) }, body }
}

/** RFC 7234 warn-values; a header may carry several. Clients print each on a line of its own. */
function warningHeader(warnings: readonly string[]): Record<string, string> {
  const values: string[] = []
  let left = maxWarningLength
  for (const text of warnings) {
    const value = `299 - "${quotable(text)}"`
    left -= value.length
    if (left < 0) break
    values.push(value)
  }
  return values.length === 0 ? {} : { warning: values.join(', ') }
}

/** Of all together, as in Kubernetes: clients bound the headers of an answer. */
const maxWarningLength = 4096

/** Texts name fields and values that come from outside: nothing may end the header or the quotes. */
function quotable(text: string): string {
  return text
    .slice(0, 1024)
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/[\\"]/g, '\\$&')
}

function joined(head: object, texts: readonly string[]): string {
  return `${JSON.stringify(head).slice(0, -1)},"items":[${texts.join(',')}]}`
}

function tableOptions({ options: { includeObject } }: Form, now: number) {
  return { includeObject, now }
}

function revisionOf(text: string): string {
  const { metadata }: KubeObject = decodeObject(text)
  return metadata.resourceVersion ?? ''
}
