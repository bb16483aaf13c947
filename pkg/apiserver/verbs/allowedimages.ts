/** Images that a namespace does not allow are refused. Only a new name is judged, so that what was there can be stopped and deleted. */
import { type Cause, qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { dockerfileInObject, ownNameOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import {
  allowedImagesAnnotation,
  type ForbiddenImage,
  forbiddenAmong,
  imagesNamedIn,
} from '#pkg/apis/images.allowed.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { readersOf } from '#pkg/build/dockerfile/reach.ts'
import { externalImages } from '#pkg/build/dockerfile/stages.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import type { Context, Write } from './context.ts'

const judged: ReadonlySet<string> = new Set(['Container', 'Image', 'Build'])

/** Throws Forbidden. */
export function admitImages(context: Context, { kind, object, before }: Write): void {
  if (kind.group !== 'cove.run' || !judged.has(kind.kind)) return
  const namespace = object.metadata.namespace ?? ''
  const allowed = allowedIn(context, namespace)
  if (allowed === undefined) return
  const known = new Set(before && imagesOf(before).map(({ reference }) => reference))
  const fresh = imagesOf(object).filter(({ reference }) => !known.has(reference))
  const patterns = isOfBuild(object) ? `${allowed},${ownNames(namespace)}` : allowed
  const message = `the namespace allows only ${allowed} (annotation ${allowedImagesAnnotation})`
  const causes = forbiddenAmong(fresh, patterns).map(({ field, reference }): Cause => {
    const what =
      reference === hidden ? 'which images it names must be readable here' : `"${reference}" is not allowed`
    return { reason: 'FieldValueForbidden', field, message: `${what}: ${message}` }
  })
  if (causes.length === 0) return
  const { name } = object.metadata
  const told = causes.map(({ field, message: text }) => `${field}: ${text}`).join('; ')
  throw new StatusError('Forbidden', `${qualifiedResource(kind)} "${name}" is forbidden: ${told}`, {
    name,
    group: kind.group,
    kind: kind.plural,
    causes,
  })
}

function allowedIn(context: Context, namespace: string): string | undefined {
  const entry = context.cache.of(namespaceKind).get(namespace)
  // Most namespaces say nothing: what is not in the text need not be decoded.
  if (entry === undefined || !entry.text.includes(allowedImagesAnnotation)) return undefined
  return decodeObject(entry.text).metadata.annotations?.[allowedImagesAnnotation]
}

/** What Builds of the namespace are called by themselves. */
function ownNames(namespace: string): string {
  return ownNameOfBuild({ namespace, name: '*' }).replace(/:[^:]*$/, '')
}

/** Builds, and the Images that they keep. */
function isOfBuild({ kind, spec }: ApiObject): boolean {
  if (kind === 'Build') return true
  const source = isPlainObject(spec) ? spec['source'] : undefined
  return kind === 'Image' && isPlainObject(source) && source['build'] !== undefined
}

function imagesOf(object: ApiObject): ForbiddenImage[] {
  const named = imagesNamedIn(object['spec'])
  return object.kind === 'Build' ? [...named, ...basesOf(asBuild(object))] : named
}

/** Stands for those of a Dockerfile that comes with the context. */
const hidden = '?'

function basesOf({ spec }: Build): ForbiddenImage[] {
  const { args, target, platform } = spec
  const field = 'spec.dockerfileInline'
  const text = dockerfileInObject(spec)
  if (text === undefined) return [{ field, reference: hidden }]
  const building = {
    args,
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
  }
  const images = externalImages(parseDockerfile(text).dockerfile, building)
  const references = [...images.map(({ reference }) => reference), ...readersOf(text, args)]
  return references.map((reference) => ({ field, reference }))
}

/** The kind says that it is one, and its schema has accepted it. */
function asBuild(object: ApiObject): Build {
  return object as unknown as Build
}
