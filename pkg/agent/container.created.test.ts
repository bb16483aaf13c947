import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import { container, observed, print, world } from '#test/helpers/world.ts'
import { planContainer } from './container.ts'
import { resolve } from './resolve.ts'

function fingerprintOf(object: Container): string {
  const resolved = resolve({ container: object, ...world({ objects: [object] }) })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return resolved.fingerprint
}

function plan(object: Container, more?: Parameters<typeof observed>[2], fingerprint = fingerprintOf(object)) {
  const containers = more === undefined ? [] : [observed(object, fingerprint, more)]
  return print(planContainer(object, world({ objects: [object], containers })).plan)
}

test('state Created makes the container and does not start it; Running starts the same one', (t) => {
  const web = container('web', { state: 'Created' })
  t.is(plan(web), 'Container/default/web#1: create container web because it does not exist')
  t.is(plan(web, { state: 'created' }), '')
  const wanted = container('web', { state: 'Running' })
  t.is(
    plan(wanted, { state: 'created' }),
    'Container/default/web#1: start container id-web because spec.state is Running',
  )
})

test('one that somebody started behind the back of Created is stopped', (t) => {
  const web = container('web', { state: 'Created' })
  t.is(
    plan(web, { state: 'running' }),
    'Container/default/web#1: stop container id-web because spec.state: want Created, found running',
  )
  t.is(plan(web, { state: 'exited' }), '')
})

test('a change before the first start makes it anew under its own name', (t) => {
  const web = container('web', { state: 'Created' })
  t.is(
    plan(web, { state: 'created' }, 'another'),
    'Container/default/web#1: remove container id-web because the resolved spec changed before it was ever started',
  )
})
