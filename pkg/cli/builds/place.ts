/** What the argument of `cove build` names: a folder, an archive, a repository, standard input, or a Build. Pure. */
import { isUtf8 } from 'node:buffer'
import { basename } from 'node:path'

export type Place =
  | { readonly kind: 'stdin' }
  | {
      readonly kind: 'git'
      readonly url: string
      readonly ref?: string
      readonly subdirectory?: string
    }
  /** An archive, or a Dockerfile when it is called so. */
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'path'; readonly path: string }
  /** A Build, or a folder where there is no such Build. */
  | { readonly kind: 'word'; readonly word: string }
  | { readonly kind: 'build'; readonly name: string }

const buildTypes = ['build', 'builds', 'bld', 'build.cove.run', 'builds.cove.run', 'builds.v1.cove.run']

/** As docker build reads it; what may be the name of an object is left open. */
export function placeOf(argument: string): Place {
  if (argument === '-') return { kind: 'stdin' }
  const [type = '', name = '', more] = argument.split('/')
  if (name !== '' && more === undefined && buildTypes.includes(type.toLowerCase()))
    return { kind: 'build', name }
  const git = gitPlace(argument)
  if (git !== undefined) return git
  if (/^https?:\/\//.test(argument)) return { kind: 'url', url: argument }
  const isName = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(argument)
  return isName ? { kind: 'word', word: argument } : { kind: 'path', path: argument }
}

/** `https://host/repo.git#REF:FOLDER`, `git@host:repo`, `ssh://`, `git://`, `github.com/owner/repo`. */
function gitPlace(argument: string): Place | undefined {
  const hash = argument.indexOf('#')
  const [address, fragment] = hash < 0 ? [argument, ''] : [argument.slice(0, hash), argument.slice(hash + 1)]
  const isGit =
    /^(git|ssh|file):\/\//.test(address) ||
    /^[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:/.test(address) ||
    /^https?:\/\/[^?]*\.git\/?$/.test(address) ||
    address.startsWith('github.com/')
  if (!isGit) return undefined
  const colon = fragment.indexOf(':')
  const [ref, folder] = colon < 0 ? [fragment, ''] : [fragment.slice(0, colon), fragment.slice(colon + 1)]
  const subdirectory = folder.replace(/^\/+|\/+$/g, '')
  return {
    kind: 'git',
    url: address.startsWith('github.com/') ? `https://${address}` : address,
    ...(ref !== '' && { ref }),
    ...(subdirectory !== '' && { subdirectory }),
  }
}

/** What people would call what is built of it; undefined for what has no name. */
export function nameOfPlace(place: Place, directory: string): string | undefined {
  switch (place.kind) {
    case 'git':
      return basename(place.subdirectory ?? place.url.replace(/\/$/, '').replace(/\.git$/, '')).replace(
        /^.*:/,
        '',
      )
    case 'url':
      return basename(new URL(place.url).pathname).replace(/\.(tar(\.\w+)?|tgz|tbz2?|txz)$/, '')
    case 'path':
    case 'word':
      return basename(directory).replace(/\.(tar(\.\w+)?|tgz|tbz2?|txz)$/, '')
    case 'build':
      return place.name
    case 'stdin':
      return undefined
  }
}

/** What the first bytes of standard input are: an archive, packed or not, or else the text of a Dockerfile. */
export function isArchive(start: Uint8Array): boolean {
  const bytes = Buffer.from(start)
  const begins = (...values: readonly number[]) => values.every((value, at) => bytes[at] === value)
  return (
    isTarHeader(bytes.subarray(0, 512)) ||
    begins(0x1f, 0x8b) ||
    begins(0x42, 0x5a, 0x68) ||
    begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)
  )
}

/** By its sum, which the oldest of its formats have, too. */
function isTarHeader(block: Buffer): boolean {
  const [from, to] = [148, 156]
  const told = Number.parseInt(block.toString('latin1', from, to), 8)
  const blanks = 0x20 * (to - from)
  return block.length === 512 && told === sum(block) - sum(block.subarray(from, to)) + blanks
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((all, byte) => all + byte, 0)
}

/** Whether it can be a Dockerfile: of anything else, each line would be told as an unknown instruction. */
export function isText(bytes: Uint8Array): boolean {
  return isUtf8(bytes) && !bytes.includes(0)
}
