/**
 * The server's own certificate authority and what it signs: TLS from the first start, without a tool. Each identity
 * (key and certificate) is one file, replaced as a whole, so no interruption can leave a key without its
 * certificate. The authority is made once and kept; the certificates it signs are renewed when they must be.
 */
import { X509Certificate } from 'node:crypto'
import { chmod, mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Random } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { readIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import { type Issuer, issue, type Subject, selfSign, signRequest } from './certificate.ts'

/** PEM texts. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

export interface Pki {
  /** Its certificate is what clients trust; its key never leaves the server. */
  readonly ca: Identity
  readonly server: Identity
  readonly admin: Identity
}

export interface PkiOptions {
  /** Names and addresses the server is reached by, beside localhost and the loopback addresses. */
  readonly hosts: readonly string[]
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly random: Random
}

const dayMs = 86_400_000
const authorityDays = 3650
const certificateDays = 365
/** A certificate with less than this left is renewed: a server that is restarted once a month never serves an old one. */
const renewDays = 60
const alwaysHosts = ['localhost', '127.0.0.1', '::1'] as const
/** Addresses one can listen on but never connect to. */
const wildcards: ReadonlySet<string> = new Set(['', '0.0.0.0', '::'])

/**
 * Makes what is missing in `dir` (created with mode 0700), renews what is near its end or names other hosts, keeps
 * the rest. Call it at every start, and daily. Throws InternalError when the authority's file is damaged or has
 * expired: a new authority would shut out every client, so that is the operator's decision.
 */
export async function ensurePki(dir: string, options: PkiOptions): Promise<Pki> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await chmod(dir, 0o700)
  const ca = await ensureAuthority(join(dir, 'ca.pem'), options)
  const hosts = serverHosts(options.hosts)
  const server = { name: 'cove-server', hosts, usage: 'server' } as const
  const admin = { name: 'cove-admin', organization: 'system:masters', usage: 'client' } as const
  return {
    ca,
    server: await ensureLeaf(join(dir, 'server.pem'), server, ca, options),
    admin: await ensureLeaf(join(dir, 'admin.pem'), admin, ca, options),
  }
}

export interface NodeCertificateOptions extends Omit<PkiOptions, 'hosts'> {
  /** How long the certificate is good; absent: a year. */
  readonly lifetimeMs?: number
}

/** A client certificate by which an agent is known as the node `nodeName`. */
export function issueNodeIdentity(
  ca: Identity,
  nodeName: string,
  options: NodeCertificateOptions,
): Promise<Identity> {
  return issue(nodeSubject(nodeName), issuer(ca, options))
}

/** The same for a key that the node keeps to itself. Throws BadRequest for a request that is not good. */
export function signNodeRequest(
  ca: Identity,
  nodeName: string,
  csr: string,
  options: NodeCertificateOptions,
): Promise<string> {
  return signRequest(csr, nodeSubject(nodeName), issuer(ca, options))
}

function nodeSubject(nodeName: string): Subject {
  return { name: `system:node:${nodeName}`, organization: 'system:nodes', usage: 'client' }
}

function serverHosts(hosts: readonly string[]): string[] {
  return [...new Set<string>([...alwaysHosts, ...hosts.filter((host) => !wildcards.has(host))])]
}

async function ensureAuthority(path: string, { now, random }: PkiOptions): Promise<Identity> {
  const text = await readIfThere(path)
  if (text === undefined) {
    const made = await selfSign('cove-ca', { random, from: now, to: now + authorityDays * dayMs })
    await replaceFile(path, bundle(made))
    return made
  }
  const identity = parseIdentity(text)
  if (identity === undefined)
    throw new StatusError(
      'InternalError',
      `${path} holds no key with its certificate; restore it from a backup`,
    )
  if (Date.parse(new X509Certificate(identity.cert).validTo) <= now)
    throw new StatusError(
      'InternalError',
      `the certificate authority in ${path} has expired; move the directory away for a new one, and give every client a new kubeconfig`,
    )
  return identity
}

async function ensureLeaf(
  path: string,
  subject: Subject,
  ca: Identity,
  options: PkiOptions,
): Promise<Identity> {
  const text = await readIfThere(path)
  const kept = text === undefined ? undefined : parseIdentity(text)
  if (kept !== undefined && isGood(kept, subject, ca, options.now)) return kept
  const made = await issue(subject, issuer(ca, options))
  await replaceFile(path, bundle(made))
  return made
}

function issuer(
  ca: Identity,
  { now, random, lifetimeMs = certificateDays * dayMs }: NodeCertificateOptions,
): Issuer {
  const end = Date.parse(new X509Certificate(ca.cert).validTo)
  return { ...ca, random, from: now, to: Math.min(now + lifetimeMs, end) }
}

/** Signed by this authority, not near its end unless the authority is too, and for exactly these hosts. */
function isGood(identity: Identity, subject: Subject, ca: Identity, now: number): boolean {
  const certificate = new X509Certificate(identity.cert)
  const authority = new X509Certificate(ca.cert)
  const left = Date.parse(certificate.validTo) - now
  const asLongAsPossible = certificate.validTo === authority.validTo && left > 0
  return (
    certificate.verify(authority.publicKey) &&
    (left > renewDays * dayMs || asLongAsPossible) &&
    sameHosts(certificate, subject.hosts ?? [])
  )
}

function sameHosts(certificate: X509Certificate, hosts: readonly string[]): boolean {
  const entries = certificate.subjectAltName === undefined ? 0 : certificate.subjectAltName.split(', ').length
  const named = (host: string) =>
    (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined
  return entries === hosts.length && hosts.every(named)
}

function bundle({ key, cert }: Identity): string {
  return `${key.trim()}\n${cert.trim()}\n`
}

const keyBlock = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/
const certificateBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/

/** Undefined unless both parts are there and whole. */
function parseIdentity(text: string): Identity | undefined {
  const key = keyBlock.exec(text)?.[0]
  const cert = certificateBlock.exec(text)?.[0]
  return key === undefined || cert === undefined ? undefined : { key: `${key}\n`, cert: `${cert}\n` }
}

/**
 * A kubeconfig with everything in it, for kubectl and cove. It holds a private key: write it with mode 0600. It is
 * JSON, which is YAML too: cove then reads it without loading a YAML parser, a fifth of a short command.
 */
export function adminKubeconfig(options: {
  /** Such as https://127.0.0.1:6443. */
  readonly server: string
  /** The authority's certificate. */
  readonly ca: string
  readonly cert: string
  readonly key: string
}): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const { server, ca, cert, key } = options
  const cluster = { server, 'certificate-authority-data': base64(ca) }
  const user = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
  const context = { cluster: 'cove', user: 'cove-admin', namespace: 'default' }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'cove',
    contexts: [{ name: 'cove', context }],
    clusters: [{ name: 'cove', cluster }],
    users: [{ name: 'cove-admin', user }],
  }
  return `${JSON.stringify(config, null, 2)}\n`
}
