/**
 * Why an object is as it is, in sentences: what is desired, what is observed, where they differ, what was done because of
 * what and how often, what comes next and when, and how its node is. Pure: the same facts give the same text.
 */
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { Node } from '#pkg/apis/node.ts'
import { isBuild } from './describe.build.ts'
import { type EventView, viewEvents } from './eventrows.ts'
import { type NodeFacts, nodeNameOf, nodeSentences } from './nodetext.ts'
import { desiredOfBuild, foundOfBuild, nextOfBuild } from './why.build.ts'
import { desiredOf, differencesOf, headlineOf, nextOf, observedOf, timesOf } from './why.container.ts'
import { desiredOfImage, foundOfImage, nextOfImage } from './why.image.ts'
import { agoText, whenText } from './why.times.ts'

export interface WhyFacts extends NodeFacts {
  readonly object: KubeObject
  readonly events: readonly KubeObject[]
  readonly now: number
}

type Section = readonly [title: string, sentences: readonly string[]]

const titleWidth = 11
/** Of events the newest tell why; the others are `cove events`. */
const mostEvents = 6

export function whyText(facts: WhyFacts): string {
  const { object } = facts
  const sections = isContainer(object) ? containerSections(object, facts) : plainSections(facts)
  return sections
    .filter(([, sentences]) => sentences.length > 0)
    .map(sectionText)
    .join('')
}

function isImage(object: KubeObject): object is Image {
  return object.kind === 'Image' && object.apiVersion.startsWith('cove.run/')
}

function isContainer(object: KubeObject): object is Container {
  return object.kind === 'Container' && object.apiVersion.startsWith('cove.run/')
}

function containerSections(container: Container, facts: WhyFacts): Section[] {
  const { now } = facts
  return [
    ['', [headlineOf(container)]],
    ['Desired', desiredOf(container)],
    ['Observed', observedOf(container, now)],
    ['Differs', differencesOf(container)],
    ['Done', [...lastActionOf(container, facts), ...eventsOf(facts)]],
    ['How often', timesOf(container, now)],
    ['Next', nextOf(container, now)],
    ['Node', nodeSentences(container.spec.nodeName, facts, now)],
  ]
}

function plainSections(facts: WhyFacts): Section[] {
  const { object, now } = facts
  const { conditions = [] } = statusOf(object)
  const ready = findCondition(conditions, 'Ready')
  const { deletionTimestamp, finalizers = [] } = object.metadata
  const state = ready === undefined ? 'exists' : ready.status === 'True' ? 'is ready' : 'is not ready'
  const going = `is being deleted since ${whenText(deletionTimestamp, now)}`
  const waits = finalizers.length === 0 ? '' : `; it waits for ${finalizers.join(', ')}`
  const why = ready === undefined ? '' : `: ${ready.reason}: ${ready.message}`
  const more = moreOf(object, now)
  return [
    ['', [`${nameOf(object)} ${deletionTimestamp === undefined ? `${state}${why}` : `${going}${waits}`}.`]],
    ['Desired', more.desired],
    ['Observed', [...conditions.map((condition) => conditionText(condition, now)), ...more.found]],
    ['Done', eventsOf(facts)],
    ['Next', more.next],
    ['Node', nodeSentences(nodeNameOf(object), facts, now)],
  ]
}

/** What there is to say besides of kinds that have more to say. */
function moreOf(object: KubeObject, now: number) {
  if (isImage(object))
    return {
      desired: desiredOfImage(object),
      found: foundOfImage(object),
      next: nextOfImage(object, now),
    }
  if (isBuild(object))
    return {
      desired: desiredOfBuild(object),
      found: foundOfBuild(object, now),
      next: nextOfBuild(object, now),
    }
  return { desired: [], found: [], next: [] }
}

type Status = NonNullable<Node['status']>

/** Every kind that has conditions has them in the same form. */
function statusOf({ status }: KubeObject): Pick<Status, 'conditions'> {
  return (status ?? {}) as Pick<Status, 'conditions'>
}

function conditionText(condition: NonNullable<Status['conditions']>[number], now: number): string {
  const { type, status, reason, message, lastTransitionTime } = condition
  return `${type} is ${status} since ${whenText(lastTransitionTime, now)}: ${reason}: ${message}.`
}

export function nameOf({ kind, metadata }: KubeObject): string {
  const { namespace, name } = metadata
  return `${kind.toLowerCase()} ${namespace === undefined ? name : `${namespace}/${name}`}`
}

/** Unless an event tells it; events are forgotten after an hour. */
function lastActionOf({ status }: Container, { events, now }: WhyFacts): string[] {
  const last = status?.lastAction
  if (last === undefined) return []
  const message = `${last.action} because ${last.cause}`
  const told = viewEvents(events).some((event) => event.message === message)
  return told ? [] : [`Last: ${last.action} at ${whenText(last.time, now)} because ${last.cause}.`]
}

/** The newest first. */
function eventsOf({ object, events, now }: WhyFacts): string[] {
  const views = viewEvents(events).toReversed()
  const more = views.length - mostEvents
  return [
    ...views.slice(0, mostEvents).map((event) => eventText(event, now)),
    ...(more > 0
      ? [`${more} older events: cove events --for ${object.kind.toLowerCase()}/${object.metadata.name}.`]
      : []),
  ]
}

function eventText({ reason, message, count, first, last }: EventView, now: number): string {
  const often = count > 1 ? `, ${count} times since ${new Date(first).toISOString().slice(0, 19)}Z` : ''
  return `${reason} ${agoText(last, now)}${often}: ${message}.`
}

/** Each sentence begins a line; further lines of one are indented below it. */
function sectionText([title, sentences]: Section): string {
  if (title === '') return `${sentences.join('\n')}\n`
  const indent = ' '.repeat(titleWidth)
  const lines = sentences.map((sentence) => sentence.replaceAll('\n', `\n${indent}  `))
  return lines
    .map((line, index) => `${index === 0 ? `${title}:`.padEnd(titleWidth) : indent}${line}\n`)
    .join('')
}
