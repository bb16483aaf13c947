import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeRequest } from '#test/helpers/request.ts'
import { readJson, readObject } from './body.ts'

function refusal(body: string): string {
  try {
    readJson(makeRequest('/', { method: 'POST', body }))
    return ''
  } catch (error) {
    if (!isReason(error, 'BadRequest')) throw error
    return error.message
  }
}

test('what is wrong with a body is told without a word of it, since it may be secret', (t) => {
  const secret = 'hunter2'
  const wrong = [
    secret,
    `"${secret}`,
    `{"a":"${secret}" ${secret}`,
    `{"a":${secret}}`,
    `{"a":"x"} "${secret}"`,
    `["${secret}",'${secret}']`,
    `{"data": {"password": "${secret}\n"}}`,
    `{"a" "${secret}"}`,
    ' ',
  ]
  for (const body of wrong) {
    const message = refusal(body)
    t.regex(message, /^the body is not JSON: \w/, body)
    t.false(message.includes(secret.slice(1)), message)
  }
})

test('a body is of the kind that its path names, unless it says otherwise', (t) => {
  const kind = { group: 'cove.run', version: 'v1', kind: 'Container' }
  const read = (body: object) =>
    readObject(kind, makeRequest('/', { method: 'POST', body: JSON.stringify(body) }))
  const type = { apiVersion: 'cove.run/v1', kind: 'Container' }
  for (const body of [{}, type, { kind: 'Container' }, { apiVersion: '', kind: null }])
    t.deepEqual(read(body), type)
  for (const body of [{ kind: 'Secret' }, { apiVersion: 'v1' }, { kind: 1 }]) t.throws(() => read(body))
})
