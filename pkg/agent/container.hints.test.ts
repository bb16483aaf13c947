import test from 'ava'
import type { Reason } from '#pkg/apimachinery/errors.ts'
import { container } from '#test/helpers/world.ts'
import { startHint } from './container.hints.ts'

function hint(reason: Reason, message: string, spec: Record<string, unknown> = {}): string {
  return startHint({ reason, message }, container('web', spec)) ?? ''
}

const missing = (program: string) => `exec: "${program}": executable file not found in $PATH: unknown`

test('a program that is not there: what to do depends on how it is asked for', (t) => {
  const of = (program: string, spec = {}) => hint('ExecutableNotFound', missing(program), spec)
  t.is(of('nosuch'), 'set spec.command or spec.args to a program that the image has')
  t.regex(
    of('exec', { args: ['exec', 'sleep', '1'] }),
    /^"exec" is a word of the shell, no program: leave it out/,
  )
  t.regex(of('-x', { args: ['-x'] }), /the image has no ENTRYPOINT: begin with the program, then "-x"$/)
  t.is(
    of('./app', { workingDir: '/' }),
    'the image asks for "./app", which is looked for in spec.workingDir /: mend the one or the other',
  )
  t.regex(
    of('./app', { args: ['./app'] }),
    /^the spec asks for "\.\/app", which is looked for in the WORKDIR of/,
  )
  t.regex(of('docker-init', { init: true }), /^spec\.init is run by a program of the node, docker-init/)
  t.regex(hint('ExecutableNotFound', 'something else'), /^set spec\.command/)
})

test('a user and a device that are not there are named', (t) => {
  t.regex(hint('UserNotFound', 'x', { user: 'nosuch' }), /^spec\.user "nosuch" is not in \/etc\/passwd/)
  t.regex(hint('UserNotFound', 'x'), /^the USER of the image is not in/)
  t.regex(hint('DeviceNotFound', 'x', { devices: ['/dev/x'] }), /mend spec\.devices \(\/dev\/x\)$/)
})

test('a port that is taken and a path that is missing: what to do', (t) => {
  const ports = [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }]
  t.is(
    hint('HostPortInUse', 'address already in use', { ports }),
    'something else on the node listens there: end it, or choose another hostPort than 8080 in spec.ports',
  )
  t.regex(hint('MountSourceMissing', 'x'), /make that path on the node first, or mount a Volume/)
})

test('what the engine refuses is named by its field', (t) => {
  const capabilities = { add: ['BPF'] }
  t.is(
    hint('InvalidSpec', 'invalid CapAdd: unknown capability: "CAP_BPF"', {
      securityContext: { capabilities },
    }),
    'the engine of the node does not know it: mend spec.securityContext.capabilities (BPF)',
  )
  t.regex(hint('InvalidSpec', 'error looking up logging plugin x'), /^mend spec\.logging/)
  const sysctls = { 'net.core.nosuch': '1' }
  t.regex(
    hint('InvalidSpec', 'open /proc/sys/net/core/nosuch: no such file', { sysctls }),
    /mend spec\.sysctls \(net\.core\.nosuch\)$/,
  )
  t.regex(hint('InvalidSpec', 'No command specified'), /neither ENTRYPOINT nor CMD: say in spec\.command/)
  t.is(hint('InvalidSpec', 'Minimum memory limit allowed is 6MB'), 'raise spec.resources.limits.memory')
})

test('of what the engine has said all, nothing more is said', (t) => {
  t.is(hint('InvalidSpec', 'something else'), '')
  t.is(hint('NoSpace', 'no space left on device'), '')
})
