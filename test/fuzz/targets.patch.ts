/** Fuzz targets of patches: whatever the patch says, the object given stays as it is and what comes out is JSON. */
import { isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import { applyMergePatch, diffMergePatch, threeWayMergePatch } from '#pkg/apimachinery/patch.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { readJson } from '#pkg/apiserver/http/body.ts'
import { applyJsonPatch } from '#pkg/apiserver/verbs/jsonpatch.ts'
import { applyStrategicPatch } from '#pkg/apiserver/verbs/strategic.ts'
import { jsonWords, richConfigMap, richContainer } from './samples.ts'
import { hold, type Target } from './target.ts'

const { signal } = new AbortController()
const objects: readonly Record<string, unknown>[] = [richContainer, richConfigMap, {}]
const kind = anyKind(containerKind)
/** However small the patch was, what it makes of a small object stays small. */
const longestResult = 16 * 1024 * 1024

function read(body: Buffer): unknown {
  return readJson({ method: 'PATCH', path: '/', query: new URLSearchParams(), headers: {}, body, signal })
}

/** Applies it to every object. Throws unless the patch leaves the object alone, and gives JSON, twice the same. */
function patching(apply: (object: Record<string, unknown>, patch: unknown) => unknown) {
  return (input: Buffer) => {
    const patch = read(input)
    const sent = JSON.stringify(patch)
    for (const object of objects) {
      const before = JSON.stringify(object)
      const result = attempt(() => apply(object, patch))
      hold(JSON.stringify(object) === before, 'the object that is patched stays as it is')
      hold(JSON.stringify(patch) === sent, 'the patch stays as it is')
      const again = attempt(() => apply(object, patch))
      hold(JSON.stringify(result) === JSON.stringify(again), 'the same patch gives the same again')
      const text = JSON.stringify(result.value) ?? ''
      hold(text.length <= longestResult, `${text.length} characters come out of ${input.length}`)
    }
  }
}

interface Attempt {
  readonly value?: unknown
  readonly error?: string
}

/** A refusal is a result too, and the same one every time. */
function attempt(work: () => unknown): Attempt {
  try {
    return { value: work() }
  } catch (error) {
    const refused =
      error instanceof Error && 'code' in error && Number(error.code) >= 400 && Number(error.code) < 500
    if (!refused) throw error
    return { error: error.message }
  }
}

const members = (patch: unknown) => (isPlainObject(patch) ? patch : {})

const mergePatch: Target = {
  name: 'mergepatch',
  seeds: [
    '{"metadata":{"labels":{"app":null,"b":"c"}},"spec":{"env":[]}}',
    '{"data":{"a":null}}',
    '[]',
    'null',
  ],
  words: jsonWords,
  run: patching((object, patch) => applyMergePatch(object, patch)),
}

const strategicPatch: Target = {
  name: 'strategicpatch',
  seeds: [
    '{"spec":{"env":[{"name":"A","$patch":"delete"},{"name":"C","value":"3"}]}}',
    '{"spec":{"$setElementOrder/env":[{"name":"B"},{"name":"A"}],"env":[{"name":"B","value":"x"}]}}',
    '{"metadata":{"$deleteFromPrimitiveList/finalizers":["a.b/c"]},"spec":{"$retainKeys":["image"],"image":"x"}}',
    '{"spec":{"ports":[{"$patch":"replace"},{"containerPort":81}]},"$patch":"merge"}',
  ],
  words: [
    ...jsonWords,
    '"$patch":"delete"',
    '"$patch":"replace"',
    '"$retainKeys":[',
    '"$setElementOrder/env":[',
    '"$deleteFromPrimitiveList/finalizers":[',
  ],
  run: patching((object, patch) => applyStrategicPatch(kind.schema, object, members(patch))),
}

const jsonPatch: Target = {
  name: 'jsonpatch',
  seeds: [
    '[{"op":"add","path":"/metadata/labels/x","value":"y"},{"op":"remove","path":"/spec/env/0"}]',
    '[{"op":"move","from":"/spec/image","path":"/metadata/labels/i"},{"op":"test","path":"/kind","value":"Container"}]',
    '[{"op":"copy","from":"/metadata","path":"/metadata/x"},{"op":"copy","from":"/metadata","path":"/metadata/y"}]',
    '[{"op":"replace","path":"","value":{}},{"op":"add","path":"/spec/command/-","value":1}]',
  ],
  words: [
    ...jsonWords,
    '{"op":"copy","from":"/metadata","path":"/metadata/z"},',
    '{"op":"move","from":"/spec","path":"/spec/a"},',
    '{"op":"add","path":"/__proto__/x","value":1},',
    '{"op":"add","path":"/constructor/prototype/x","value":1},',
    '"op":"test"',
    '"path":""',
    '/-',
    '~1',
    '~0',
  ],
  run: patching((object, patch) => applyJsonPatch(kind, object, patch)),
}

const noNulls = (value: unknown): boolean =>
  value !== null && (typeof value !== 'object' || Object.values(value).every(noNulls))

const diffs: Target = {
  name: 'diffpatch',
  seeds: [JSON.stringify(richContainer), JSON.stringify(richConfigMap), '{"metadata":{"labels":{}}}'],
  words: jsonWords,
  run: (input) => {
    const to = read(input)
    if (!isPlainObject(to)) return
    for (const from of objects) {
      const patch = diffMergePatch(from, to)
      if (noNulls(to))
        hold(sameJson(applyMergePatch(from, patch ?? {}), to), 'the difference leads from one to the other')
      const three = threeWayMergePatch(from, to, from)
      if (noNulls(to)) hold(sameJson(applyMergePatch(from, three ?? {}), to), 'so does the one of three')
    }
  },
}

export const patchTargets: readonly Target[] = [mergePatch, strategicPatch, jsonPatch, diffs]
