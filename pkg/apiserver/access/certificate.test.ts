import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { seededRandom } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeRequest, selfSign, signRequest } from './certificate.ts'

const now = Date.parse('2026-06-01T00:00:00Z')
const hour = 3_600_000
const random = seededRandom(1)
const subject = { name: 'system:node:edge-1', organization: 'system:nodes', usage: 'client' } as const

/** Made by openssl, each with the subject CN=x. */
const requests = {
  p384: 'MIIBAzCBiwIBADAMMQowCAYDVQQDDAF4MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEjRZgdPE1Zt4XKihWGfj4TprM4E6+1kfxmFhYS1TynNzx31+2WUcdqWgfL/x+Leb0VLRQ2voneSV8KZgYmqy3O0ID6R6rMbCQA2t3h9/KU8KjQvUIEnh7AUkTlKLUaSg4oAAwCgYIKoZIzj0EAwIDZwAwZAIwIUENK7Mcp5+kfrSG13JdorWkzO/58Xrx219ZejK5xCYox8BItRoMX6whnksUThRcAjAkNSjq+MgNx1/PhmHrtM6KFsv5bFBLwuznZWxW/hC76WZfjmonGsgnMKArGtqiQlA=',
  secp256k1:
    'MIHDMGsCAQAwDDEKMAgGA1UEAwwBeDBWMBAGByqGSM49AgEGBSuBBAAKA0IABM2Ux0iMuzRT7MLCITEuhbczyV+pizJMK/eAYg+wqJuifvu8FxuONgxZxyL0iAdwArOpr/M0eBhnuJ0SeePVDnKgADAKBggqhkjOPQQDAgNIADBFAiBTB1dza0MqgrhgCa1J48r93EBkySqpSQLWfKZcW5y/zgIhAIjR9ZoUWr/X+lYDO6ZVUXZp1qeeLAqmbQjhI0GK12mp',
  ed25519:
    'MIGLMD8CAQAwDDEKMAgGA1UEAwwBeDAqMAUGAytlcAMhAMd6ml1bR/JlpklrDEfjxSlEU2h8J96JEuMIGKN/hcW2oAAwBQYDK2VwA0EAEW1jykZ1qcdsJruoWn/TBlwx9fGNkpJQprT7SrFgQoorNRVtQO64sTO/vmtHFijiTdYPybN2cU+4PjY83dKfDQ==',
}

function pem(base64: string): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${base64}\n-----END CERTIFICATE REQUEST-----\n`
}

async function sign(csr: string, lifetimeMs = hour): Promise<X509Certificate> {
  const ca = await selfSign('ca', { random, from: now, to: now + 1000 * hour })
  return new X509Certificate(
    await signRequest(csr, subject, { ...ca, random, from: now, to: now + lifetimeMs }),
  )
}

test('a request by another tool is signed too, for the subject that we say', async (t) => {
  const certificate = await sign(pem(requests.p384))
  t.is(certificate.subject, 'O=system:nodes\nCN=system:node:edge-1')
  t.is(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'secp384r1')
  t.false(certificate.ca)
  t.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'])
})

test('keys of other curves are refused, by their name', async (t) => {
  for (const [request, name] of [
    [requests.secp256k1, 'K-256'],
    [requests.ed25519, 'Ed25519'],
  ] as const) {
    const error = await t.throwsAsync(sign(pem(request)))
    t.true(isReason(error, 'BadRequest'))
    t.regex(error?.message ?? '', new RegExp(`a key of ${name}; P-256, P-384, P-521 are accepted`))
  }
})

test('a certificate begins a little before it was made: five minutes, or a tenth of a short life', async (t) => {
  const { csr } = await makeRequest('x')
  t.is(Date.parse((await sign(csr)).validFrom), now - 5 * 60_000)
  t.is(Date.parse((await sign(csr, 60_000)).validFrom), now - 6000)
})
