import test from 'ava'
import { aboutText, addressText, binaryText, decimalText, portsText, quantityText } from './dockertext.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

test('times are told as Docker tells them', (t) => {
  const expected: readonly (readonly [number, string])[] = [
    [0, 'Less than a second'],
    [second, '1 second'],
    [59 * second, '59 seconds'],
    [minute, 'About a minute'],
    [119 * second, 'About a minute'],
    [2 * minute, '2 minutes'],
    [59 * minute + 59 * second, '59 minutes'],
    [hour, 'About an hour'],
    [89 * minute, 'About an hour'],
    [91 * minute, '2 hours'],
    [47 * hour, '47 hours'],
    [48 * hour, '2 days'],
    [13 * day, '13 days'],
    [14 * day, '2 weeks'],
    [59 * day, '8 weeks'],
    [60 * day, '2 months'],
    [729 * day, '24 months'],
    [730 * day, '2 years'],
  ]
  for (const [time, text] of expected) t.is(aboutText(time), text)
})

test('sizes have as many digits as Docker gives them', (t) => {
  t.is(binaryText(0), '0B')
  t.is(binaryText(516_096), '504KiB')
  t.is(binaryText(1_843_200), '1.758MiB')
  t.is(binaryText(25_323_552_768), '23.58GiB')
  t.is(binaryText(1023 * 1024), '1023KiB')
  t.is(decimalText(646), '646B')
  t.is(decimalText(1240), '1.24kB')
  t.is(decimalText(1e6), '1MB')
  t.is(quantityText(516_096), '504Ki')
  t.is(quantityText(1_843_200), '1.76Mi')
  t.is(quantityText(1023 * 1024), '1023Ki')
})

test('ports are told with where they are published', (t) => {
  const ports = [
    { containerPort: 80, protocol: 'tcp', hostPort: 8080, hostIP: '::' },
    { containerPort: 80, protocol: 'tcp', hostPort: 8080, hostIP: '0.0.0.0' },
    { containerPort: 53, protocol: 'udp' },
  ]
  t.is(portsText(ports), '0.0.0.0:8080->80/tcp, 53/udp, [::]:8080->80/tcp')
  t.is(addressText({ hostPort: 1, hostIP: '127.0.0.1' }), '127.0.0.1:1')
  t.is(addressText({}), '')
})
