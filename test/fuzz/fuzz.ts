/** The loop: corpus first, then mutations of everything known. A failing input is kept and named. */
import { seededRandom } from '#pkg/apimachinery/ambient.ts'
import { keep, readCorpus } from './corpus.ts'
import { type Material, mutate, pick } from './mutate.ts'
import { Broken, judge, type Target } from './target.ts'

const defaultRounds = 3_000
const defaultMaxBytes = 16 * 1024
/** Mutants that go on to be mutated. */
const poolSize = 256

export interface Run {
  readonly seed: number
  /** Default: as many as the target asks for. */
  readonly rounds?: number
  /** Asked between inputs; default: never. */
  readonly isOver?: () => boolean
  /** Told of every input before it is tried. */
  readonly onInput?: (input: Buffer) => void
}

/** Resolves with the number of inputs that were tried. Throws with the file that replays the failure. */
export async function fuzz(target: Target, run: Run): Promise<number> {
  try {
    return await tryAll(target, run)
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    const path = await keep(target.name, error.input)
    const how = `the input is kept as ${path}; replay it with: node hack/fuzz.ts ${target.name} ${path}`
    throw new Error(`${error.message}\n${how}`, { cause: error.cause })
  }
}

async function tryAll(target: Target, run: Run): Promise<number> {
  const { seed, rounds = target.rounds ?? defaultRounds, isOver = () => false, onInput = () => {} } = run
  const random = seededRandom(seed)
  const known = [...target.seeds.map((input) => Buffer.from(input)), ...(await readCorpus(target.name))]
  const attempt = async (input: Buffer) => {
    onInput(input)
    await judge(target, input)
  }
  for (const input of known) await attempt(input)
  const pool = [...known]
  const { words = [], maxBytes = defaultMaxBytes } = target
  const material: Material = { random, pool, words, maxBytes }
  let tried = known.length
  for (let round = 0; round < rounds && !isOver(); round++) {
    const input = mutate(pick(random, random.next() < 0.5 ? known : pool), material)
    await attempt(input)
    tried++
    if (pool.length < known.length + poolSize) pool.push(input)
    else if (random.next() < 0.05) pool[known.length + Math.floor(random.next() * poolSize)] = input
  }
  return tried
}
