/** What git says of a failure is told for what it is, with nothing of what it was shown. */
import test from 'ava'
import { parseGitAddress } from './gitaddress.ts'
import { refusal } from './gitprogram.ts'

const address = parseGitAddress('https://me:s3cret@git.example/app.git')
const place = { address, login: address.login, secret: undefined }
const refused = (errors: string) => refusal({ code: 128, output: Buffer.alloc(0), errors }, place)

test('a disk of the node that is full is told as such, one of the far end as a place that is away', (t) => {
  const full = refused(
    'error: unable to write file a: No space left on device\nfatal: cannot store pack file\n',
  )
  t.is(full.reason, 'NoSpace')
  t.is(
    full.message,
    'https://git.example/app.git: unable to write file a: No space left on device; cannot store pack file',
  )
  t.is(
    refused('remote: fatal: write error: No space left on device\nfatal: early EOF\n').reason,
    'SourceUnavailable',
  )
  t.is(refused('fatal: early EOF\n').reason, 'SourceUnavailable')
})

test('a login is in no message', (t) => {
  const { message } = refused(
    "fatal: unable to access 'https://me:s3cret@git.example/': Could not resolve host",
  )
  t.false(message.includes('s3cret'))
})
