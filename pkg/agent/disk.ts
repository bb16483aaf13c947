/**
 * The disk that the engine keeps its data on: how full it is, when that is trouble, and whether an image fits. Deciding
 * is pure; `statfsDisk` looks.
 */
import { statfs } from 'node:fs/promises'
import type { Condition } from '#pkg/apimachinery/meta.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { Node, NodeStatus } from '#pkg/apis/node.ts'
import type { PrunePolicy } from '#pkg/apis/prunepolicy.ts'

export type Disk = Required<NonNullable<NodeStatus['disk']>>

/** Undefined when the directory is not on this machine, or not for the agent to see. */
export type ReadDisk = (path: string) => Promise<Disk | undefined>

/** In per cent; what a PrunePolicy with a mark of its own overrides. */
export const usualHighMark = 90
/** Below this share nothing goes on for long, whatever the marks. */
const leastFreePercent = 5
/** Images are packed for their travels: so much larger is what they come to on the disk. */
const unpackedTimes = 2.5
/** What pulls leave free: for the engine's own books, logs, and what containers write. */
const reserve = { bytes: 100e6, percent: 2, mostBytes: 5e9 } as const

/** Percentages are those of `df`: of what can be used, without the part that is root's alone. */
export const statfsDisk: ReadDisk = async (path) => {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(path)
    const usedBytes = (blocks - bfree) * bsize
    const availableBytes = bavail * bsize
    const usable = usedBytes + availableBytes
    const usedPercent = usable === 0 ? 0 : Math.ceil((usedBytes * 100) / usable)
    return { path, totalBytes: blocks * bsize, usedBytes, availableBytes, usedPercent }
  } catch (error) {
    if (
      error instanceof Error &&
      'code' in error &&
      ['ENOENT', 'EACCES', 'ENOTDIR'].includes(String(error.code))
    )
      return undefined
    throw error
  }
}

/** The smallest of the PrunePolicies for this node, so that what is told fits what is done. */
export function highMark(policies: Iterable<PrunePolicy>, node: Pick<Node, 'metadata'> | undefined): number {
  const labels = node?.metadata.labels ?? {}
  const marks = [...policies]
    .filter(({ spec }) => Object.entries(spec.nodeSelector).every(([key, value]) => labels[key] === value))
    .flatMap(({ spec }) => spec.disk?.high ?? [])
  return marks.length === 0 ? usualHighMark : Math.min(...marks)
}

/** A change that is worth telling: other than that a disk in use is never as full as it was a moment ago. */
const noticed = { bytes: 16e6, share: 0.002 } as const

/** What was told, as long as it is about right. */
export function steadyDisk(disk: Disk, told: NodeStatus['disk']): Disk {
  if (told?.path === undefined || told.path !== disk.path || told.totalBytes !== disk.totalBytes) return disk
  const change = Math.max(
    Math.abs(told.usedBytes - disk.usedBytes),
    Math.abs(told.availableBytes - disk.availableBytes),
  )
  return change < Math.max(noticed.bytes, disk.totalBytes * noticed.share)
    ? { ...told, path: told.path }
    : disk
}

/** With less the agent cannot keep what it needs to go on from: its copy of what is desired, files of Secrets. */
const leastOfAgent = 16e6

/** Of the disk that the agent keeps its own files on; undefined: it has room. */
export function agentDiskCondition(disk: Disk | undefined): DiskDraft | undefined {
  if (disk === undefined || disk.availableBytes >= leastOfAgent) return undefined
  const free = `${humanBytes(disk.availableBytes)} of ${humanBytes(disk.totalBytes)} are free`
  const message = `the agent has no room for its own files in ${disk.path}: ${free}; containers are looked after all the same`
  return { type: 'DiskPressure', status: 'True', reason: 'AgentDiskFull', message }
}

type DiskDraft = Omit<Condition, 'lastTransitionTime'>

export function diskCondition(disk: Disk, high: number): DiskDraft {
  const pressed = disk.usedPercent >= high || freePercent(disk) < leastFreePercent
  const numbers = `${disk.usedPercent}% of ${disk.path} is used, ${humanBytes(disk.availableBytes)} of ${humanBytes(disk.totalBytes)} are free`
  return {
    type: 'DiskPressure',
    status: pressed ? 'True' : 'False',
    reason: pressed ? 'DiskIsFilling' : 'DiskHasRoom',
    message: `${numbers}; pressure begins at ${Math.min(high, 100 - leastFreePercent)}%`,
  }
}

function freePercent({ usedBytes, availableBytes }: Disk): number {
  const usable = usedBytes + availableBytes
  return usable === 0 ? 0 : (availableBytes * 100) / usable
}

/**
 * Why an image should not be fetched now, in a sentence; undefined: it should. `packedBytes`: of the layers that are
 * missing, as the registry keeps them, or an archive; undefined: not known. `what`: that is no image.
 */
export function roomFor(
  packedBytes: number | undefined,
  disk: Disk | undefined,
  what = 'an image',
): string | undefined {
  if (disk === undefined) return undefined
  const least = Math.max(
    reserve.bytes,
    Math.min((disk.totalBytes * reserve.percent) / 100, reserve.mostBytes),
  )
  const needs = (packedBytes ?? 0) * unpackedTimes
  if (disk.availableBytes - needs >= least) return undefined
  const free = `${humanBytes(disk.availableBytes)} of ${humanBytes(disk.totalBytes)} are free on ${disk.path}, of which ${humanBytes(least)} are kept free`
  if (needs === 0) return `no room for ${what}: ${free}`
  return `no room for ${what} that comes to about ${humanBytes(needs)}: ${free}`
}
