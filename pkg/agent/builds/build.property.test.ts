/** Over any moves of what a Build is made of: it is built exactly when an input has moved, and what failed is not tried again. */
import test from 'ava'
import fc from 'fast-check'
import type { Build } from '#pkg/apis/build.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import { type BuildScene, buildScene, onNode, settle } from '#test/helpers/buildworld.ts'
import { buildObject, now, secret } from '#test/helpers/world.ts'

/** All that counts, in the words of the test. */
interface Inputs {
  readonly file: number
  readonly dockerfile: number
  readonly arg: number
  readonly base: number
  readonly secret: number
  readonly label: number
  readonly request: number
}

const none: Inputs = { file: 0, dockerfile: 0, arg: 0, base: 0, secret: 0, label: 0, request: 0 }

type Move =
  | { readonly type: 'input'; readonly part: keyof Inputs; readonly value: number }
  /** What is no input. */
  | {
      readonly type: 'noise'
      readonly noise: 'history' | 'interval' | 'annotation' | 'restart' | 'image' | 'time'
    }

const part = fc.constantFrom<keyof Inputs>('file', 'dockerfile', 'arg', 'base', 'secret', 'label', 'request')
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ type: fc.constant('input' as const), part, value: fc.nat(2) }),
  fc.record({
    type: fc.constant('noise' as const),
    noise: fc.constantFrom('history', 'interval', 'annotation', 'restart', 'image', 'time'),
  }),
)

function buildWith(inputs: Inputs, noise: number): Build {
  const files = { 'a.txt': `file ${inputs.file}`, Dockerfile: `FROM base:1\nRUN echo ${inputs.dockerfile}\n` }
  const annotations = {
    noise: String(noise),
    ...(inputs.request > 0 && { [buildAnnotation]: `request ${inputs.request}` }),
  }
  const spec = {
    context: { inline: { files } },
    dockerfileInline: undefined,
    args: { A: String(inputs.arg) },
    labels: { l: String(inputs.label) },
    builder: 'BuildKit',
    secrets: [{ id: 's', secret: 'token', key: 'value' }],
    historyLimit: noise % 4,
    triggers: { interval: `${60 + noise}s` },
  }
  return buildObject('web', spec, { metadata: { annotations, generation: noise + 1 } })
}

function put(scene: BuildScene, inputs: Inputs, noise: number): void {
  scene.build = buildWith(inputs, noise)
  scene.objects = [secret('token', { value: `secret ${inputs.secret}` })]
  const others = scene.images.filter(({ references }) => !references.includes('base:1'))
  scene.images = [...others, onNode('base:1', `base ${inputs.base}`)]
}

/** A build whose arg is 2 fails. */
function makeScene(): BuildScene {
  const scene = buildScene(buildWith(none, 0), { fails: ({ args }) => args['A'] === '2' })
  put(scene, none, 0)
  return scene
}

/** What has to come of it. */
interface Expected {
  readonly inputs: Inputs
  /** Of the image that is there. */
  readonly good: string
  /** Of what has failed since. */
  readonly bad?: string | undefined
  readonly made: number
}

function applied(scene: BuildScene, inputs: Inputs, move: Move): Inputs {
  if (move.type === 'input') {
    // What was asked for stays asked for.
    const value = move.part === 'request' ? Math.max(inputs.request, move.value) : move.value
    return { ...inputs, [move.part]: value }
  }
  if (move.noise === 'restart') scene.contexts.clear()
  else if (move.noise === 'image') scene.images = [...scene.images, onNode(`other:${scene.images.length}`)]
  else if (move.noise === 'time') scene.now += 86_400_000
  return inputs
}

function expectedAfter({ good, bad, made }: Expected, inputs: Inputs): Expected {
  const wanted = JSON.stringify(inputs)
  if (wanted === good) return { inputs, good, made }
  if (wanted === bad) return { inputs, good, bad, made }
  return inputs.arg === 2
    ? { inputs, good, bad: wanted, made: made + 1 }
    : { inputs, good: wanted, made: made + 1 }
}

test('it is built exactly when an input has moved', (t) => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 25 }), (moves) => {
      const scene = makeScene()
      settle(scene)
      let expected: Expected = { inputs: none, good: JSON.stringify(none), made: 1 }
      for (const [index, each] of moves.entries()) {
        const inputs = applied(scene, expected.inputs, each)
        put(scene, inputs, index + 1)
        const { phase, attempt } = settle(scene)
        expected = expectedAfter(expected, inputs)
        const seen = [phase, attempt, scene.orders.length]
        const wanted = [expected.bad === undefined ? 'Succeeded' : 'Failed', expected.made, expected.made]
        if (JSON.stringify(seen) !== JSON.stringify(wanted)) return false
      }
      return true
    }),
    { numRuns: 200 },
  )
  t.pass()
})

test('the same inputs have the same hash, whatever they were before, and whenever', (t) => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const [one, other] = [makeScene(), makeScene()]
      other.now = now + 1_000_000
      const last = { ...none, file: 1, base: 1 }
      for (const name of parts) {
        if (name === 'request') continue
        put(other, { ...none, [name]: 1 }, 5)
        settle(other)
      }
      put(one, last, 1)
      put(other, last, 2)
      return settle(one).inputHash === settle(other).inputHash
    }),
    { numRuns: 50 },
  )
  t.pass()
})
