/**
 * What another node sends of an image, before the engine here gets it. A node that was broken into could send anything, and
 * an engine that loads an archive gives all images in it the names that it says: so the archive is written anew, with the
 * files of one image that has no name. What is in them the image's id vouches for.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import { type Bytes, gatherBytes, type TarEntry, tarEntries } from './tararchive.ts'

const part = '[A-Za-z0-9_][A-Za-z0-9_-]*'
const layerFile = new RegExp(`^${part}/layer\\.tar$`)
/** Of both layouts: those of engines up to 24, and blobs of an OCI layout. */
const imageFile = new RegExp(
  `^(oci-layout|${part}\\.json|${part}/(VERSION|json|layer\\.tar)|blobs/sha256/${part})$`,
)
/** Both say which names images have. */
const written: Readonly<Record<string, (text: string) => unknown>> = {
  'manifest.json': manifestOf,
  'index.json': indexOf,
}
const blockSize = 512
/** Layers of an image; engines have far fewer. */
const mostFiles = 10_000
const mostFilling = 1024 ** 2

/** Throws InvalidSpec for what is no archive of one image. */
export async function* withoutNames(archive: Bytes): AsyncGenerator<Uint8Array> {
  let files = 0
  let hasManifest = false
  try {
    for await (const entry of tarEntries(archive)) {
      if (entry.name === '') {
        if (!hasManifest) throw refused('it has no manifest')
        yield Buffer.alloc(2 * blockSize)
        await readOut(entry.content)
        return
      }
      files += 1
      if (files > mostFiles) throw refused(`it has more than ${mostFiles} files`)
      hasManifest ||= entry.name === 'manifest.json'
      yield* anew(entry)
    }
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'EngineError') throw error
    throw new StatusError('InvalidSpec', error.message, {}, { cause: error })
  }
}

/** What fills up the archive, so that its sender comes to its end; more than that is not waited for. */
async function readOut(content: Bytes): Promise<void> {
  let left = mostFilling
  for await (const { length } of content) {
    left -= length
    if (left < 0) return
  }
}

/** Nothing of its own headers is passed on: who reads them otherwise than is done here would see another file. */
async function* anew({ name, type, size, link, content }: TarEntry): AsyncGenerator<Uint8Array> {
  const write = Object.hasOwn(written, name) ? written[name] : undefined
  if (write !== undefined) {
    if (!isFile(type)) throw refused(`${name} is no file`)
    const text = (await gatherBytes(content)).toString('utf8')
    const bytes = Buffer.from(JSON.stringify(write(text)))
    yield* file(name, bytes.length, [bytes])
  } else if (isFile(type) && imageFile.test(name)) yield* file(name, size, content)
  else if (type === '2' && layerFile.test(name)) yield linkTo(name, link)
}

function isFile(type: string): boolean {
  return type === '0' || type === '7'
}

/** Of one image. */
function manifestOf(text: string): unknown {
  const images = jsonValue(text)
  const image: unknown = Array.isArray(images) && images.length === 1 ? images[0] : undefined
  if (!isPlainObject(image)) throw refused('its manifest is not that of one image')
  const { Config: config, Layers: layers } = image
  if (!isPath(config) || !Array.isArray(layers) || !layers.every(isPath))
    throw refused('its manifest does not say which file is which')
  return [{ Config: config, RepoTags: null, Layers: layers }]
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && imageFile.test(value)
}

/** Without annotations, which hold the names. */
function indexOf(text: string): unknown {
  const index = jsonValue(text)
  const manifests: unknown = isPlainObject(index) ? index['manifests'] : undefined
  if (!Array.isArray(manifests)) throw refused('its index is none')
  const listed = manifests.map((entry: unknown) => {
    if (!isPlainObject(entry)) throw refused('its index is none')
    const { mediaType, digest, size, platform } = entry
    return { mediaType, digest, size, platform }
  })
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  return { schemaVersion: 2, mediaType, manifests: listed }
}

async function* file(
  name: string,
  size: number,
  content: Iterable<Uint8Array> | Bytes,
): AsyncGenerator<Uint8Array> {
  yield header({ name, size, type: '0' })
  yield* content
  const rest = size % blockSize
  if (rest > 0) yield Buffer.alloc(blockSize - rest)
}

/** A layer that is another one of the same archive. */
function linkTo(name: string, link: string): Uint8Array {
  if (!link.startsWith('../') || !layerFile.test(link.slice(3)))
    throw refused(`${name} leads out of the archive`)
  return header({ name, size: 0, type: '2', link })
}

interface HeaderFields {
  readonly name: string
  readonly size: number
  readonly type: '0' | '2'
  readonly link?: string
}

/** As POSIX has it; a size beyond its digits as GNU has that. */
function header({ name, size, type, link = '' }: HeaderFields): Buffer {
  if (name.length > 100 || link.length > 100) throw refused(`${name} has too long a name`)
  const block = Buffer.alloc(blockSize)
  const put = (text: string, at: number) => block.write(text, at, 'latin1')
  put(name, 0)
  put(type === '2' ? '0000777\0' : '0000644\0', 100)
  put('0000000\0', 108)
  put('0000000\0', 116)
  if (size < 8 ** 11) put(`${size.toString(8).padStart(11, '0')}\0`, 124)
  else {
    block[124] = 0x80
    block.writeBigUInt64BE(BigInt(size), 128)
  }
  put('00000000000\0', 136)
  put('        ', 148)
  put(type, 156)
  put(link, 157)
  put('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

function refused(why: string): StatusError {
  return new StatusError('InvalidSpec', `the archive of a saved image cannot be used: ${why}`)
}
