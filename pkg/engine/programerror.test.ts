import test from 'ava'
import { programError, tellProgramError } from './programerror.ts'

const oci = 'OCI runtime exec failed: exec failed: unable to start container process'

const told: readonly (readonly [string, string])[] = [
  [
    `${oci}: exec: "curl": executable file not found in $PATH: unknown`,
    'the image has no program "curl" in its $PATH',
  ],
  [
    `${oci}: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown`,
    'the image has no program "/bin/sh", or not what it needs to run, such as the interpreter of a script',
  ],
  [
    `${oci}: exec: "/etc/passwd": permission denied: unknown`,
    '"/etc/passwd" of the image may not be executed: it lacks the permission',
  ],
  [
    `${oci}: exec: "/bin": is a directory: permission denied`,
    '"/bin" is a directory of the image, not a program',
  ],
  [
    'exec /app: exec format error',
    '"/app" is no program that this machine can run: the image may be made for another architecture, or a script may lack its #! line',
  ],
  [
    'crun: executable file `nope` not found in $PATH: No such file',
    'the image has no program "nope" in its $PATH',
  ],
  ['/bin/sh: curl: not found', 'the image has no program "curl" in its $PATH'],
  ['sh: 1: curl: not found\n', 'the image has no program "curl" in its $PATH'],
  ['bash: line 1: wget: command not found', 'the image has no program "wget" in its $PATH'],
]

for (const [words, sentence] of told) {
  test(`it is told of ${words.slice(0, 110).trim()}`, (t) => {
    const error = programError(words)
    t.is(error && tellProgramError(error), sentence)
  })
}

test('other words tell of no program', (t) => {
  for (const words of [
    '',
    'page not found',
    'connection refused',
    'sh: out of memory',
    'GET /: not found here',
  ]) {
    t.is(programError(words), undefined)
  }
})
