/** A pull, push or load as it goes on: lines of its node in, progress on the terminal, and how it ended. */
import { jsonValue } from '#pkg/apimachinery/hash.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { decodeTransferLine, type LayerProgress, type TransferDone } from '#pkg/apis/looks.images.ts'
import { readLines } from '#pkg/client/lines.ts'
import { CliError } from '../errors.ts'
import type { Output } from '../io.ts'
import { barText } from '../progress.ts'
import { plainText } from '../table.ts'

export interface TransferProgress {
  update(progress: LayerProgress): Promise<void>
}

export const noProgress: TransferProgress = { update: async () => undefined }

/** On a terminal a line for each layer that is written anew; elsewhere a line for each state of each layer. */
export function transferProgress(output: Output): TransferProgress {
  return output.isTTY ? new LayerBlock(output) : new LayerLines(output)
}

/** Reads to the end. Throws what went wrong on the node, and CliError when the lines break off. */
export async function followTransfer(
  body: ApiResponse['body'],
  progress: TransferProgress,
): Promise<TransferDone> {
  for await (const line of readLines(body)) {
    if (line === '') continue
    const found = decodeTransferLine(jsonValue(line))
    if ('error' in found) throw found.error
    if ('done' in found) return found.done
    await progress.update(found.progress)
  }
  throw new CliError('the connection to the node broke off')
}

class LayerLines implements TransferProgress {
  readonly #output: Output
  readonly #states = new Map<string, string>()

  constructor(output: Output) {
    this.#output = output
  }

  /** A state that is told with bytes comes again and again: only where it leads is news. */
  async update({ layer, state, currentBytes }: LayerProgress): Promise<void> {
    if (currentBytes !== undefined || this.#states.get(layer) === state) return
    this.#states.set(layer, state)
    await this.#output.write(`${plainText(layer)}: ${plainText(state)}\n`)
  }
}

class LayerBlock implements TransferProgress {
  readonly #output: Output
  readonly #layers = new Map<string, LayerProgress>()
  #lines = 0

  constructor(output: Output) {
    this.#output = output
  }

  async update(progress: LayerProgress): Promise<void> {
    this.#layers.set(progress.layer, progress)
    const lines = layerLines([...this.#layers.values()], this.#output.columns)
    const back = this.#lines === 0 ? '' : `\u001b[${this.#lines}A`
    this.#lines = lines.length
    await this.#output.write(`${back}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`)
  }
}

/** No line is wider than the terminal. */
export function layerLines(layers: readonly LayerProgress[], columns: number): string[] {
  return layers.map((progress) => {
    const { layer, state } = progress
    const bar = barText(progress)
    return plainText(`${layer}: ${bar === '' ? state : `${state.padEnd(18)} ${bar}`}`).slice(0, columns - 1)
  })
}
