import test from 'ava'
import { parseDockerfile } from './parse.ts'
import { declaredVolumes } from './volumes.ts'

function volumes(lines: readonly string[], target?: string): readonly string[] {
  const { dockerfile } = parseDockerfile(`${lines.join('\n')}\n`)
  return declaredVolumes(dockerfile, { ...(target !== undefined && { target }) })
}

test('volumes are those of the stage that becomes the image, and of stages below it', (t) => {
  const lines = ['FROM a AS below', 'VOLUME /below', 'FROM a AS other', 'VOLUME /other', 'FROM below']
  t.deepEqual(volumes([...lines, 'ENV D=/d', 'VOLUME ["$D", "/x y"]', 'VOLUME /p /q']), [
    '/d',
    '/x y',
    '/p',
    '/q',
    '/below',
  ])
  t.deepEqual(volumes(lines, 'other'), ['/other'])
  t.deepEqual(volumes(lines, 'none'), [])
})

test('a volume that is called by a variable of the base image is not known', (t) => {
  t.deepEqual(volumes(['FROM a', 'VOLUME $PGDATA', 'VOLUME /sure']), ['/sure'])
})
