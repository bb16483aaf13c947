import test from 'ava'
import { nearest } from './nearest.ts'

test('a suggestion is at most two typing errors away, one for short words', (t) => {
  const fields = ['image', 'env', 'args', 'networks', 'networkMode']
  t.is(nearest('imgae', fields), 'image')
  t.is(nearest('Image', fields), 'image')
  t.is(nearest('netwrks', fields), 'networks')
  t.is(nearest('evn', fields), 'env')
  t.is(nearest('xyz', fields), undefined)
  t.is(nearest('arxx', fields), undefined)
  t.is(nearest('', fields), undefined)
})
