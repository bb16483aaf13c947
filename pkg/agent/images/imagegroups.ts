/** Groups of the ops of one Image object: one that fails keeps none of the others waiting. Pure. */
import { groupOf } from '../world.ts'

interface Named {
  readonly namespace?: string
  readonly name: string
}

/** What brings its lost digest back. */
export function digestGroup(meta: Named): string {
  return groupOf('Digest', meta)
}

/** What asks again what the tag of an image means that is here. */
export function askGroup(meta: Named): string {
  return groupOf('Ask', meta)
}

export function pushGroup(meta: Named): string {
  return groupOf('Push', meta)
}

/** The first is the one that brings it here, names it and lets it go. */
export function imageGroups(meta: Named): string[] {
  return [groupOf('Image', meta), digestGroup(meta), askGroup(meta), pushGroup(meta)]
}

/** Key of the Image whose ops the group has; undefined for groups of other objects. */
export function imageOfGroup(group: string): string | undefined {
  return /^(?:Image|Digest|Ask|Push)\/(.*)$/.exec(group)?.[1]
}

/** Of a group that may pull for it. */
export function pullingImageOf(group: string): string | undefined {
  return group.startsWith('Push/') ? undefined : imageOfGroup(group)
}
