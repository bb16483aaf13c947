import test from 'ava'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { CliError } from '../errors.ts'
import { followTransfer, layerLines, noProgress, transferProgress } from './transfers.ts'

function output(isTTY: boolean) {
  const written: string[] = []
  return {
    written,
    isTTY,
    columns: 60,
    write: async (text: string | Uint8Array) => void written.push(String(text)),
  }
}

const line = (value: unknown) => `${JSON.stringify(value)}\n`

test('elsewhere than on a terminal there is a line for each state that leads on', async (t) => {
  const to = output(false)
  const body = [
    { layer: 'a', state: 'Pulling fs layer' },
    { layer: 'a', state: 'Downloading', currentBytes: 1, totalBytes: 2 },
    { layer: 'a', state: 'Pull complete' },
    { layer: 'a', state: 'Pull complete' },
    { done: { id: 'x', changed: true } },
  ]
  t.deepEqual(await followTransfer(body.map(line).join(''), transferProgress(to)), { id: 'x', changed: true })
  t.is(to.written.join(''), 'a: Pulling fs layer\na: Pull complete\n')
})

test('on a terminal each layer has a line, which is written anew', async (t) => {
  const to = output(true)
  const progress = transferProgress(to)
  await progress.update({ layer: 'a', state: 'Downloading', currentBytes: 1, totalBytes: 2 })
  await progress.update({ layer: 'b', state: 'Waiting' })
  t.is(to.written[0], '\u001b[2Ka: Downloading        [============            ] 50%\n')
  t.true(to.written[1]?.startsWith('\u001b[1A\u001b[2Ka: '))
  t.true(layerLines([{ layer: 'x'.repeat(100), state: 'y' }], 20).every((each) => each.length < 20))
})

test('what went wrong on the node is thrown, and so is an end without an end', async (t) => {
  const { message, ...status } = new StatusError('NoSpace', 'full').toStatus()
  const failed = await t.throwsAsync(followTransfer(line({ error: { ...status, message } }), noProgress))
  t.true(isReason(failed, 'NoSpace'))
  await t.throwsAsync(followTransfer(line({ layer: 'a', state: 'b' }), noProgress), { instanceOf: CliError })
  await t.throwsAsync(followTransfer('garbage\n', noProgress))
})
