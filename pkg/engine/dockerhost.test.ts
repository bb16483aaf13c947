/** How an engine's transport is set up. */
import { inspect } from 'node:util'
import test from 'ava'
import { dialOptions } from './dockerhost.ts'

test('describing the settings of a request costs the same however many connections are open', (t) => {
  for (const host of ['unix:///var/run/docker.sock', 'https://engine.example:2376']) {
    const { settings } = dialOptions(host)
    const text = inspect({ agent: settings.agent }, { showHidden: true, depth: null })
    t.is(text, '{ agent: Agent }', host)
  }
})
