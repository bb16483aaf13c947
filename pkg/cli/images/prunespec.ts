/** What Docker's flags of `prune` commands mean, as the spec of a PrunePolicy. Pure. */
import { humanDuration, parseDuration } from '#pkg/apimachinery/quantity.ts'
import type { Args } from '../args.ts'
import { UsageError } from '../errors.ts'

export type PruneScope = 'system' | 'image' | 'container' | 'network' | 'volume' | 'builder'

/** A PrunePolicy's, without what is as usual. */
export interface AskedPrune {
  readonly spec: Readonly<Record<string, unknown>>
  /** What will be removed, line by line. */
  readonly words: readonly string[]
}

interface Filters {
  readonly olderThan: string
  readonly selector?: Readonly<Record<string, string>>
}

/** Throws UsageError. `now` is ms since the epoch. */
export function askedPrune(scope: PruneScope, args: Args, now: number): AskedPrune {
  const filters = readFilters(scope, args.list('filter'), now)
  const parts = partsOf(scope, args, filters)
  const age = parseDuration(filters.olderThan) ?? 0
  const labels = Object.entries(filters.selector ?? {}).map((label) => label.join('='))
  const limits = [
    ...(age > 0 ? [`older than ${humanDuration(age)}`] : []),
    ...(labels.length > 0 ? [`with the label ${labels.join(', ')}`] : []),
  ]
  const only = limits.length === 0 ? [] : [`of these only what is ${limits.join(' and ')}`]
  return {
    spec: Object.fromEntries(parts.map(({ key, value }) => [key, value])),
    words: [...parts.map(({ words }) => words), ...only],
  }
}

interface Part {
  readonly key: string
  readonly value: object
  readonly words: string
}

/** Other things than images and containers are not chosen by labels: they stay when some are asked for. */
function partsOf(scope: PruneScope, args: Args, filters: Filters): Part[] {
  const { olderThan, selector } = filters
  const labelled = selector !== undefined
  const whole = scope === 'system'
  const containers = whole || scope === 'container' ? [containersPart(args, filters)] : []
  const images = whole || scope === 'image' ? [imagesPart(args, filters)] : []
  const networks =
    (whole && !labelled) || scope === 'network'
      ? [{ key: 'networks', value: { unused: true, olderThan }, words: 'networks that no container is in' }]
      : []
  const volumes =
    (whole && !labelled && args.bool('volumes')) || scope === 'volume'
      ? [
          {
            key: 'volumes',
            value: { anonymous: true, olderThan },
            words: 'volumes that nobody named and no container mounts; volumes with a name always stay',
          },
        ]
      : []
  const cache =
    (whole && !labelled) || scope === 'builder'
      ? [{ key: 'buildCache', value: { olderThan, ...keepStorage(args) }, words: 'build cache' }]
      : []
  return [...containers, ...images, ...networks, ...volumes, ...cache]
}

function containersPart(args: Args, filters: Filters): Part {
  const unmanaged = args.bool('unmanaged')
  return {
    key: 'containers',
    value: { exited: true, unmanaged, ...filters },
    words: unmanaged
      ? 'containers that do not run and that no Container stands for, whoever made them'
      : 'containers that Cove left behind and that do not run; with --unmanaged also those of others',
  }
}

function imagesPart(args: Args, filters: Filters): Part {
  const unused = args.bool('all')
  return {
    key: 'images',
    value: { dangling: true, unused, ...filters },
    words: unused ? 'images that nothing uses' : 'images that have lost their names and that nothing uses',
  }
}

function keepStorage(args: Args): { keepStorage?: string } {
  const text = args.has('keep-storage') ? args.text('keep-storage') : undefined
  if (text === undefined) return {}
  const [, digits, unit = ''] = /^([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)b?$/i.exec(text) ?? []
  if (digits === undefined)
    throw new UsageError(`--keep-storage "${text}" is no size such as 10GB`, 'builder prune')
  const factor = 1000 ** ['', 'k', 'm', 'g', 't', 'p'].indexOf(unit.toLowerCase())
  return { keepStorage: String(Math.round(Number(digits) * factor)) }
}

function readFilters(scope: PruneScope, filters: readonly string[], now: number): Filters {
  const labels: [string, string][] = []
  let olderThan = '0s'
  for (const filter of filters) {
    const [key = '', ...rest] = filter.split('=')
    const value = rest.join('=')
    if (key === 'until') olderThan = ageOf(value, scope, now)
    else if (key === 'label') labels.push(labelOf(value, scope))
    else
      throw new UsageError(`--filter "${filter}": there is until=TIME and label=KEY=VALUE`, `${scope} prune`)
  }
  return { olderThan, ...(labels.length > 0 && { selector: Object.fromEntries(labels) }) }
}

/** A duration, a time, or seconds since 1970, as Docker has it. */
function ageOf(text: string, scope: PruneScope, now: number): string {
  if (parseDuration(text) !== undefined) return text
  const at = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text)
  if (Number.isNaN(at))
    throw new UsageError(
      `--filter "until=${text}": is no duration such as 24h, and no time`,
      `${scope} prune`,
    )
  return `${Math.max(0, Math.ceil((now - at) / 1000))}s`
}

function labelOf(text: string, scope: PruneScope): [string, string] {
  if (scope !== 'system' && scope !== 'image' && scope !== 'container')
    throw new UsageError('--filter label: only images and containers are chosen by labels', `${scope} prune`)
  const at = text.indexOf('=')
  if (at < 1)
    throw new UsageError(`--filter "label=${text}": say the value too, label=KEY=VALUE`, `${scope} prune`)
  return [text.slice(0, at), text.slice(at + 1)]
}
