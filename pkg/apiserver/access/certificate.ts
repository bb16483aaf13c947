/**
 * Making X.509 certificates (ECDSA P-256). The only file that knows the certificate library, which is loaded on
 * first use: a start that finds its certificates never pays for it.
 */
import { createPublicKey, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import type { Random } from '#pkg/apimachinery/ambient.ts'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'

export interface Subject {
  /** CN: the user's name, or what the certificate is for. */
  readonly name: string
  /** O: the user's group. */
  readonly organization?: string
  readonly hosts?: readonly string[]
  readonly usage: 'server' | 'client'
}

export interface Validity {
  readonly random: Random
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly to: number
}

export interface Issuer extends Validity {
  /** The authority's, as PEM. */
  readonly cert: string
  readonly key: string
}

interface Made {
  readonly cert: string
  readonly key: string
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const
/** What a request may ask to be certified: the curve of our own keys, or a stronger one. */
const requestCurves: readonly string[] = ['P-256', 'P-384', 'P-521']
/** Clients whose clock is behind must still take a certificate made just now; a short-lived one by a tenth of its life. */
const backdateMs = 5 * 60_000

/** When a certificate of ours was signed, give or take a second; all in milliseconds since the epoch. */
export function signedAt(notBefore: number, notAfter: number): number {
  return notBefore + Math.min(backdateMs, (notAfter - notBefore) / 11)
}

/** A new authority. */
export async function selfSign(name: string, validity: Validity): Promise<Made> {
  const x509 = await load()
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...dates(validity),
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem').trim()}\n`, key: await exportKey(keys.privateKey) }
}

/** A new key and its certificate, signed by `issuer`. */
export async function issue(subject: Subject, issuer: Issuer): Promise<Made> {
  await load()
  const keys = await generateKeys()
  return { cert: await certify(keys.publicKey, subject, issuer), key: await exportKey(keys.privateKey) }
}

/** A new key, and the request to certify it. The key never has to leave whoever calls this. */
export async function makeRequest(name: string): Promise<{ readonly key: string; readonly csr: string }> {
  const x509 = await load()
  const keys = await generateKeys()
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    keys,
    signingAlgorithm,
  })
  return { csr: `${request.toString('pem').trim()}\n`, key: await exportKey(keys.privateKey) }
}

/**
 * The certificate of the key in a request, for `subject`: what the request itself says of its subject counts for
 * nothing. Throws BadRequest unless the request is signed with its key, which must be of an accepted curve.
 */
export async function signRequest(csr: string, subject: Subject, issuer: Issuer): Promise<string> {
  const x509 = await load()
  const request = readRequest(x509, csr)
  const { algorithm } = request.publicKey
  const curve = 'namedCurve' in algorithm ? String(algorithm.namedCurve) : algorithm.name
  if (!requestCurves.includes(curve))
    throw badRequest(
      `the certificate request has a key of ${curve}; ${requestCurves.join(', ')} are accepted`,
    )
  if (!(await isSignedByItsKey(request)))
    throw badRequest('the certificate request is not signed with its key')
  const key = await webcrypto.subtle.importKey(
    'spki',
    request.publicKey.rawData,
    { name: 'ECDSA', namedCurve: curve },
    true,
    ['verify'],
  )
  return certify(key, subject, issuer)
}

type X509 = Awaited<ReturnType<typeof load>>

function readRequest(x509: X509, csr: string) {
  try {
    return new x509.Pkcs10CertificateRequest(csr)
  } catch (error) {
    const message = `the certificate request cannot be read: ${messageOf(error)}`
    throw new StatusError('BadRequest', message, {}, { cause: error })
  }
}

/** The library fails on a signature that it cannot take apart: that one is wrong too. */
async function isSignedByItsKey(request: { verify(): Promise<boolean> }): Promise<boolean> {
  try {
    return await request.verify()
  } catch (error) {
    throw new StatusError(
      'BadRequest',
      `the signature of the certificate request cannot be read: ${messageOf(error)}`,
      {},
      { cause: error },
    )
  }
}

async function certify(publicKey: webcrypto.CryptoKey, subject: Subject, issuer: Issuer): Promise<string> {
  const x509 = await load()
  const authority = new x509.X509Certificate(issuer.cert)
  const usage = subject.usage === 'server' ? 'serverAuth' : 'clientAuth'
  const organization = subject.organization === undefined ? [] : [{ O: [subject.organization] }]
  const certificate = await x509.X509CertificateGenerator.create({
    ...dates(issuer),
    subject: [...organization, { CN: [subject.name] }],
    issuer: authority.subject,
    publicKey,
    signingKey: await importKey(issuer.key),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[usage]]),
      await x509.AuthorityKeyIdentifierExtension.create(await authorityKey(issuer.cert)),
      ...(subject.hosts === undefined
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              subject.hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
            ),
          ]),
    ],
  })
  return `${certificate.toString('pem').trim()}\n`
}

/** The library finds its parts by decorators, which need the metadata to be there first. */
async function load() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

function dates({ from, to, random }: Validity) {
  // A tenth of what follows is an eleventh of the whole.
  const notBefore = new Date(from - Math.min(backdateMs, (to - from) / 10))
  return { notBefore, notAfter: new Date(to), serialNumber: serialNumber(random) }
}

/** 127 bits, positive and without a leading zero byte, as the standard wants it. */
function serialNumber(random: Random): string {
  return `4${random.uuid().replaceAll('-', '').slice(1)}`
}

function generateKeys() {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${bytes.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END PRIVATE KEY-----\n`
}

function importKey(pem: string) {
  const bytes = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64')
  return webcrypto.subtle.importKey('pkcs8', bytes, keyAlgorithm, false, ['sign'])
}

function authorityKey(cert: string) {
  const bytes = createPublicKey(cert).export({ type: 'spki', format: 'der' })
  return webcrypto.subtle.importKey('spki', bytes, keyAlgorithm, true, ['verify'])
}
