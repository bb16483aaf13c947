/**
 * What people see while something is waited for. On a terminal one block that is redrawn; elsewhere one line
 * whenever an object's state changes, so that a log stays readable.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Output } from './io.ts'
import type { Verdict } from './readiness.ts'
import { plainText } from './table.ts'

/** One object that is waited for. */
export interface ProgressItem {
  /** `container/web` */
  readonly name: string
  readonly object: KubeObject | undefined
  readonly verdict: Verdict
}

export interface Progress {
  update(items: readonly ProgressItem[]): Promise<void>
  /** Takes the block away; lines stay. */
  finish(): Promise<void>
}

export function makeProgress(output: Output): Progress {
  return output.isTTY ? new BlockProgress(output) : new LineProgress(output)
}

class LineProgress implements Progress {
  readonly #output: Output
  readonly #shown = new Map<string, string>()

  constructor(output: Output) {
    this.#output = output
  }

  async update(items: readonly ProgressItem[]): Promise<void> {
    for (const item of items) {
      const state = stateText(item)
      const before = this.#shown.get(item.name)
      // Copies arrive one after the other: what nobody has seen yet is no news either.
      const unseen = before === undefined && item.object === undefined && item.verdict.state === 'pending'
      if (before === state || unseen) continue
      this.#shown.set(item.name, state)
      // What was so from the beginning is no news.
      if (before === undefined && item.verdict.state === 'met') continue
      const change = before === undefined ? state : `${before} -> ${state}`
      await this.#output.write(`${item.name}: ${change}${reasonText(item)}\n`)
    }
  }

  async finish(): Promise<void> {}
}

class BlockProgress implements Progress {
  readonly #output: Output
  #lines = 0

  constructor(output: Output) {
    this.#output = output
  }

  async update(items: readonly ProgressItem[]): Promise<void> {
    const lines = blockLines(items, this.#output.columns)
    await this.#output.write(`${this.#clear()}${lines.map((line) => `${line}\n`).join('')}`)
    this.#lines = lines.length
  }

  async finish(): Promise<void> {
    await this.#output.write(this.#clear())
    this.#lines = 0
  }

  #clear(): string {
    return this.#lines === 0 ? '' : `\u001b[${this.#lines}A\u001b[J`
  }
}

/** The redrawn block: a line per object, and one per layer that is being pulled. No line is wider than the terminal. */
export function blockLines(items: readonly ProgressItem[], columns: number): string[] {
  const width = Math.max(0, ...items.map(({ name }) => name.length))
  return items
    .flatMap((item) => {
      const mark = { met: '✓', pending: '·', hopeless: '✗' }[item.verdict.state]
      const head = `${mark} ${item.name.padEnd(width)}  ${stateText(item)}${reasonText(item)}`
      const more = [...layerLines(item.object), ...stepLines(item.object)]
      return [head, ...(item.verdict.state === 'pending' ? more : [])]
    })
    .map((line) => [...line].slice(0, columns - 1).join(''))
}

/** The phase in a word, with the health when there is one. */
function stateText({ object, verdict }: ProgressItem): string {
  if (object === undefined) return verdict.state === 'met' ? 'gone' : 'missing'
  if (object.metadata.deletionTimestamp !== undefined) return 'Terminating'
  const status = isPlainObject(object.status) ? object.status : {}
  const ready = verdict.state === 'met' ? 'Ready' : 'Pending'
  const phase = typeof status['phase'] === 'string' ? status['phase'] : ready
  const health = isPlainObject(status['health']) ? status['health']['status'] : undefined
  return typeof health === 'string' ? `${phase} (${health})` : phase
}

function reasonText({ verdict }: ProgressItem): string {
  return verdict.state === 'met' || verdict.message === '' ? '' : `  ${verdict.message}`
}

const barWidth = 24

/** Of a Container those of its pull; of an Image those on each of its nodes. */
function layerLines(object: KubeObject | undefined): string[] {
  const status = recordOf(object?.status)
  const nodes = Object.values(recordOf(status['nodes']))
  return [status['image'], ...nodes].flatMap((part) => {
    const layers = recordOf(part)['layers']
    return Array.isArray(layers) ? layers.filter(isPlainObject).map(layerLine) : []
  })
}

/** Of a Build what it is at. */
function stepLines(object: KubeObject | undefined): string[] {
  const { phase, steps } = recordOf(object?.status)
  if (phase !== 'Building' || !Array.isArray(steps)) return []
  return steps
    .filter(isPlainObject)
    .filter(({ state }) => state === 'Running')
    .map(({ number, instruction }) => `    step ${String(number)}: ${plainText(String(instruction))}`)
}

function layerLine(layer: Readonly<Record<string, unknown>>): string {
  const name = String(layer['id'] ?? layer['layer'])
  return `    ${name}  ${String(layer['state']).padEnd(18)} ${barText(layer)}`
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return isPlainObject(value) ? value : {}
}

/** `[====    ] 50%`; empty while nothing is known. */
export function barText({
  currentBytes,
  totalBytes,
}: {
  readonly currentBytes?: unknown
  readonly totalBytes?: unknown
}): string {
  if (typeof currentBytes !== 'number' || typeof totalBytes !== 'number' || totalBytes <= 0) return ''
  const share = Math.min(1, currentBytes / totalBytes)
  const filled = Math.round(share * barWidth)
  return `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}] ${Math.round(share * 100)}%`
}
