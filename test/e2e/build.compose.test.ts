/** A Compose file that builds, as it is: converted, applied and run. */
import { mkdir, writeFile } from 'node:fs/promises'
import test from 'ava'
import { built, makeBuildScene } from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)

test('services of a Compose file run what is built beside it, and roll when a file there changes', async (t) => {
  const scene = await makeBuildScene(cove())
  const dir = await makeTempDir(t, 'compose')
  const image = `cove-test/${scene.cove.mark}-${scene.namespace}-shop:1`
  const compose = `
name: shop
services:
  web:
    build: {context: ./web, args: {GREETING: hello}}
    image: ${image}
    stop_grace_period: 0s
    restart: always
  again:
    image: ${image}
    command: [sleep, "86400"]
    stop_grace_period: 0s
    restart: always
`
  const dockerfile = `FROM ${baseImage}
ARG GREETING
RUN mkdir -p /srv && echo $GREETING > /srv/greeting
COPY index.html /srv/
CMD ["httpd", "-f", "-p", "8080", "-h", "/srv"]
`
  await mkdir(`${dir}/web`)
  await writeFile(`${dir}/web/Dockerfile`, dockerfile)
  await writeFile(`${dir}/web/index.html`, 'one')
  await writeFile(`${dir}/compose.yaml`, compose)
  const apply = async () => {
    const converted = await cove().cli(['convert', '-f', `${dir}/compose.yaml`, '-n', scene.namespace])
    t.is(converted.code, 0, converted.stderr)
    const applied = await cove().cli(['apply', '-f', '-'], converted.stdout)
    t.is(applied.code, 0, applied.stderr)
  }
  await apply()
  const first = await built(scene, 'web')
  const container = await scene.ready('web')
  await scene.ready('again')
  const page = ['wget', '-q', '-O', '-', 'http://127.0.0.1:8080/index.html']
  t.is(await scene.exec('web', page), 'one')
  t.is(await scene.exec('again', ['cat', '/srv/greeting']), 'hello')
  await writeFile(`${dir}/web/index.html`, 'two')
  await apply()
  await scene.replaced('web', container)
  t.is(await scene.exec('web', page), 'two')
  const second = await built(scene, 'web')
  t.not(second.image.id, first.image.id)
  t.is(second.attempt, 2)
})
