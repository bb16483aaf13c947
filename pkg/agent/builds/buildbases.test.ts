/** Images that a build is made of or takes layers from: which of them are pulled. */
import test from 'ava'
import { buildScene, decide, onNode } from '#test/helpers/buildworld.ts'
import { buildObject } from '#test/helpers/world.ts'

function pulled(scene: ReturnType<typeof buildScene>): string[] {
  const [planned] = decide(scene).plan.ops
  return planned?.op.type === 'buildImage'
    ? planned.op.cachePulls.map(({ reference }) => reference)
    : [`${planned?.op.type}`]
}

test('images of spec.cacheFrom that the node lacks are brought with the build, which waits for none', (t) => {
  const cacheFrom = ['reg.test/here:1', 'reg.test/away:1']
  const images = [onNode('base:1'), onNode('reg.test/here:1')]
  t.deepEqual(pulled(buildScene(buildObject('web', { cacheFrom }), { images })), ['reg.test/away:1'])
})

test('its own name in a registry is cache, too; what another Build makes is not pulled for it', (t) => {
  const spec = { tags: ['reg.test/web:1'], cacheFrom: ['reg.test/web:1', 'reg.test/other:1'] }
  const objects = [buildObject('other', { tags: ['reg.test/other:1'] })]
  t.deepEqual(pulled(buildScene(buildObject('web', spec), { objects })), ['reg.test/web:1'])
})

test('where every step is run again no cache is brought', (t) => {
  const spec = { noCache: true, cacheFrom: ['reg.test/away:1'] }
  t.deepEqual(pulled(buildScene(buildObject('web', spec))), [])
})
