/** Whatever registries say and whenever: only what is allowed is taken, and never before its time. */
import test from 'ava'
import fc from 'fast-check'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { bytesIn } from '#pkg/apis/image.rejected.ts'
import type { Image } from '#pkg/apis/image.ts'
import { approvedAnnotation } from '#pkg/apis/wellknown.ts'
import { imageObject } from '#test/helpers/world.ts'
import { planUpdate, questionOf } from './update.plan.ts'

const start = Date.parse('2026-03-01T02:30:00Z')
const letters = ['a', 'b', 'c'].map((letter) => `sha256:${letter.repeat(64)}`)
const [first = ''] = letters
const digests = fc.constantFrom(...letters)
const ages = { '0s': 0, '90s': 90_000, '1h': 3_600_000 }
/** Minutes of the day, as `0 3 * * *` and `0 *\/2 * * *` with these durations open them. */
const windows = {
  night: { schedule: '0 3 * * *', duration: '2h', isOpen: (minute: number) => minute >= 180 && minute < 300 },
  even: {
    schedule: '0 */2 * * *',
    duration: '30m',
    isOpen: (minute: number) => Math.floor(minute / 60) % 2 === 0 && minute % 60 < 30,
  },
}

const rules = fc.record(
  {
    policy: fc.constantFrom('Digest', 'SemVer'),
    age: fc.constantFrom('0s', '90s', '1h'),
    approval: fc.constantFrom('Automatic', 'Manual'),
    window: fc.constantFrom('night', 'even'),
  },
  { requiredKeys: ['policy', 'age'] },
)
const steps = fc.array(
  fc.record({
    wait: fc.integer({ min: 0, max: 60 * 60 }),
    tag: fc.constantFrom('1.0.0', '1.1.0', '1.2.0', '2.0.0', 'latest'),
    digest: fc.option(digests, { nil: undefined }),
    approve: fc.option(digests, { nil: undefined }),
    reject: fc.option(digests, { nil: undefined, freq: 4 }),
  }),
  { minLength: 5, maxLength: 30 },
)

interface Rules {
  readonly policy: string
  readonly age: string
  readonly approval?: string
  readonly window?: string
}

function imageWith({ policy, age, approval, window }: Rules): Image {
  const open = window === undefined ? undefined : windows[window as keyof typeof windows]
  return imageObject(
    'app',
    {
      reference: 'app:1.1.0',
      update: {
        policy,
        minimumAge: age,
        ...(policy === 'SemVer' && { range: '^1' }),
        ...(approval !== undefined && { approval }),
        ...(open !== undefined && { window: { schedule: open.schedule, duration: open.duration } }),
      },
    },
    { status: { reference: `app:1.1.0@${first}`, rejected: [] } },
  )
}

type Step = typeof steps extends fc.Arbitrary<readonly (infer T)[]> ? T : never

/** What people and controllers did meanwhile. */
function meanwhile(image: Image, { approve, reject }: Step, now: number): Image {
  const { annotations } = image.metadata
  const approval = approve === undefined ? {} : { [approvedAnnotation]: `${approve} ${now}` }
  const before = annotations?.[approvedAnnotation]
  const rejection = {
    digest: reject ?? '',
    reason: 'Exited',
    message: '',
    time: timestamp(now),
    ...(before !== undefined && { approval: before }),
  }
  const rejected = [...(image.status?.rejected ?? []), ...(reject === undefined ? [] : [rejection])]
  return {
    ...image,
    metadata: { ...image.metadata, annotations: { ...annotations, ...approval } },
    status: { ...image.status, rejected },
  }
}

interface Taken {
  readonly rules: Rules
  readonly now: number
  readonly image: Image
  readonly from: string
  readonly to: string
  readonly firstSeen: number | undefined
}

const isApproved = ({ image, to }: Taken) =>
  image.metadata.annotations?.[approvedAnnotation]?.startsWith(bytesIn(to) ?? '?') === true
const versionOf = (reference: string) => /:([\d.]+)@/.exec(reference)?.[1] ?? ''

const promises: Readonly<Record<string, (taken: Taken) => boolean>> = {
  'not before its age': ({ rules: { age }, firstSeen, now }) =>
    firstSeen !== undefined && now >= firstSeen + ages[age as keyof typeof ages],
  'not without approval': (taken) => taken.rules.approval !== 'Manual' || isApproved(taken),
  'not what was rejected': (taken) =>
    isApproved(taken) ||
    taken.image.status?.rejected?.every(({ digest }) => digest !== bytesIn(taken.to)) === true,
  'only while the window is open': ({ rules: { window }, now }) => {
    const at = new Date(now)
    const minute = at.getUTCHours() * 60 + at.getUTCMinutes()
    return window === undefined || windows[window as keyof typeof windows].isOpen(minute)
  },
  'never an older version': ({ from, to }) => versionOf(to) >= versionOf(from),
  'nothing out of the range': ({ to }) => versionOf(to).startsWith('1.'),
}

interface Course {
  readonly image: Image
  readonly now: number
  /** What the registry said last, and since when. */
  readonly seen?: { readonly reference: string; readonly at: number }
}

/** What the registry says in a step. */
function saidIn({ tag, digest }: Step, { policy }: Rules): { tag: string; digest: string } | undefined {
  return digest === undefined ? undefined : { tag: policy === 'Digest' ? '1.1.0' : tag, digest }
}

function seenIn(found: { tag: string; digest: string } | undefined, { seen }: Course, at: number) {
  if (found === undefined) return seen
  const reference = `app:${found.tag}@${found.digest}`
  return seen?.reference === reference ? seen : { reference, at }
}

function advance(before: Course, step: Step, given: Rules): Course {
  const now = before.now + step.wait * 1000
  const image = meanwhile(before.image, step, now)
  const found = saidIn(step, given)
  const question = questionOf(image)?.key ?? ''
  const answer = found && { question, at: now, failures: 0, found }
  const status = { ...planUpdate({ image, answer, now })?.status, rejected: image.status?.rejected ?? [] }
  const seen = seenIn(found, before, now)
  return { image: { ...image, status }, now, ...(seen !== undefined && { seen }) }
}

function takenIn(before: Course, after: Course, given: Rules): Taken[] {
  const [from = '', to = ''] = [before.image.status?.reference, after.image.status?.reference]
  if (to === from || after.image.status?.previous !== from) return []
  const firstSeen = after.seen?.reference === to ? after.seen.at : undefined
  return [{ rules: given, now: after.now, image: after.image, from, to, firstSeen }]
}

test('what is taken keeps every promise, and all else is going back to what was before', (t) => {
  const taken: Taken[] = []
  const run = (given: Rules, all: readonly Step[]) => {
    let course: Course = { image: imageWith(given), now: start }
    for (const step of all) {
      const next = advance(course, step, given)
      const moves = takenIn(course, next, given)
      taken.push(...moves)
      const { reference, previous } = course.image.status ?? {}
      const now = next.image.status?.reference
      if (moves.length === 0 && now !== reference) t.is(now, previous ?? 'none')
      course = next
    }
  }
  fc.assert(fc.property(rules, steps, run), { numRuns: 1000 })
  for (const [promise, holds] of Object.entries(promises))
    t.is(
      taken.find((each) => !holds(each)),
      undefined,
      promise,
    )
  t.true(taken.length > 200, `${taken.length} were taken`)
})
