import test from 'ava'
import { refusedPart } from './refusedpart.ts'

test('the part that an engine refuses is known by its words', (t) => {
  t.is(refusedPart('invalid CapAdd: unknown capability: "CAP_BPF"'), 'capability')
  t.is(refusedPart('error looking up logging plugin nosuch: plugin "nosuch" not found'), 'logging')
  t.is(refusedPart("unknown log opt 'x' for json-file log driver"), 'logging')
  t.is(
    refusedPart('runc create failed: open /proc/sys/net/core/nosuch: no such file or directory: unknown'),
    'sysctl',
  )
  t.is(refusedPart('sysctl "kernel.x" is not in a separate kernel namespace: unknown'), 'sysctl')
  t.is(refusedPart('No command specified'), 'nothingToRun')
  t.is(refusedPart('Minimum memory limit allowed is 6MB'), 'memory')
  t.is(refusedPart('something else'), undefined)
})
