import test from 'ava'
import { fileLines } from './logfile.ts'

test('lines that a full disk refuses are lost and counted, and the next that fits says so', (t) => {
  let text = ''
  let room = 13
  const line = fileLines((bytes) => {
    if (room === 0) throw new Error('ENOSPC')
    const some = bytes.subarray(0, room)
    room -= some.length
    text += Buffer.from(some).toString()
    return some.length
  })
  line('first line\n')
  line('cut off\n')
  line('lost\n')
  room = 1000
  line('again\n')
  line('and on\n')
  t.is(text, 'first line\ncu\n2 log lines were lost: they could not be written\nagain\nand on\n')
})
