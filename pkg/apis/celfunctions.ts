/** What Kubernetes adds to CEL, as far as our rules use it: quantities, addresses and ranges of addresses. */
import { isIP } from 'node:net'
import type { Environment } from '@marcbachmann/cel-js'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'

class Quantity {
  readonly amount: number

  constructor(amount: number) {
    this.amount = amount
  }
}

class Cidr {
  readonly range: Range

  constructor(range: Range) {
    this.range = range
  }
}

interface Address {
  readonly family: 4 | 6
  readonly bits: bigint
}

interface Range extends Address {
  readonly prefix: number
}

/** `quantity`, `isQuantity`, `sign`, `compareTo`; `isIP`, `isCIDR`, `cidr`, `containsIP`, `containsCIDR`. */
export function addKubernetesFunctions(environment: Environment): void {
  environment
    .registerType('Quantity', Quantity)
    .registerFunction('isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined)
    .registerFunction('quantity(string): Quantity', toQuantity)
    .registerFunction('Quantity.sign(): int', ({ amount }: Quantity) => BigInt(Math.sign(amount)))
    .registerFunction('Quantity.compareTo(Quantity): int', (left: Quantity, right: Quantity) =>
      BigInt(Math.sign(left.amount - right.amount)),
    )
    .registerType('Cidr', Cidr)
    .registerFunction('isIP(string): bool', (text: string) => parseAddress(text) !== undefined)
    .registerFunction('isCIDR(string): bool', (text: string) => parseRange(text) !== undefined)
    .registerFunction('cidr(string): Cidr', toCidr)
    .registerFunction('Cidr.containsIP(string): bool', ({ range }: Cidr, text: string) =>
      holds(range, toAddress(text)),
    )
    .registerFunction('Cidr.containsCIDR(string): bool', ({ range }: Cidr, text: string) => {
      const other = toCidr(text).range
      return other.prefix >= range.prefix && holds(range, other)
    })
}

function toQuantity(text: string): Quantity {
  const amount = parseQuantity(text)
  if (amount === undefined) throw new TypeError(`"${text}" is not a quantity`)
  return new Quantity(amount)
}

function toCidr(text: string): Cidr {
  const range = parseRange(text)
  if (range === undefined) throw new TypeError(`"${text}" is not a range of addresses`)
  return new Cidr(range)
}

function toAddress(text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`"${text}" is not an address`)
  return address
}

function holds(range: Range, address: Address): boolean {
  if (range.family !== address.family) return false
  const rest = BigInt((range.family === 4 ? 32 : 128) - range.prefix)
  return range.bits >> rest === address.bits >> rest
}

function parseRange(text: string): Range | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text)
  const address = parseAddress(match?.[1] ?? '')
  const prefix = Number(match?.[2])
  if (address === undefined || prefix > (address.family === 4 ? 32 : 128)) return undefined
  return { ...address, prefix }
}

/** Without zones, and without IPv4 written as IPv6: Kubernetes takes neither. */
function parseAddress(text: string): Address | undefined {
  const family = isIP(text)
  if (family === 4) return { family, bits: bitsOf(text.split('.').map(Number), 8n) }
  if (family !== 6 || /%|::ffff:\d+\./i.test(text)) return undefined
  return { family, bits: bitsOf(groupsOf(text), 16n) }
}

function bitsOf(parts: readonly number[], width: bigint): bigint {
  return parts.reduce((bits, part) => (bits << width) | BigInt(part), 0n)
}

/** The eight groups of an IPv6 address, `::` and a dotted end written out. */
function groupsOf(text: string): number[] {
  const [head = '', tail] = text.split('::')
  const left = groups(head)
  const right = groups(tail ?? '')
  const gap = Array.from({ length: 8 - left.length - right.length }, () => 0)
  return [...left, ...gap, ...right]
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}
