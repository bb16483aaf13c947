/** What the argument of `cove build` names: a folder, an archive, a repository, standard input, or a Build. Pure. */
import { isUtf8 } from 'node:buffer'
import { basename } from 'node:path'
import { packingOf } from '#pkg/build/context/packing.ts'

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

/** Of names that archives have. */
export const archiveEnding = /\.(tar(\.\w+)?|tgz|tbz2?|txz)$/

/** What people would call what is built of it; undefined for what has no name. */
export function nameOfPlace(place: Place, directory: string): string | undefined {
  switch (place.kind) {
    case 'git':
      return basename(place.subdirectory ?? place.url.replace(/\/$/, '').replace(/\.git$/, '')).replace(
        /^.*:/,
        '',
      )
    case 'url':
      return basename(new URL(place.url).pathname).replace(archiveEnding, '')
    case 'path':
    case 'word':
      return basename(directory).replace(archiveEnding, '')
    case 'build':
      return place.name
    case 'stdin':
      return undefined
  }
}

/** What the first bytes of standard input are: an archive, packed or not, or else the text of a Dockerfile. */
export function isArchive(start: Uint8Array): boolean {
  return isTarHeader(Buffer.from(start).subarray(0, 512)) || packingOf(start) !== undefined
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
