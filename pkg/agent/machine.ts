/** What the whole machine uses, as Linux tells it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Counters of the machine at one moment. */
export interface MachineSample {
  /** In which its cores did something, together, since it was started; ms. */
  readonly busyMs: number
  /** What is not to be had for new processes. */
  readonly memoryBytes: number
}

export type ReadMachine = () => Promise<MachineSample>

/** The kernel counts processor time for programs in hundredths of a second, whatever its own clock. */
const tickMs = 10

/** `directory`: where the kernel tells of itself. */
export function linuxMachine(directory = '/proc'): ReadMachine {
  return async () => {
    const [stat, memory] = await Promise.all([
      readFile(join(directory, 'stat'), 'utf8'),
      readFile(join(directory, 'meminfo'), 'utf8'),
    ])
    return { busyMs: readBusy(stat), memoryBytes: readMemory(memory) }
  }
}

/** `cpu user nice system idle iowait irq softirq steal guest guest_nice`; guests are in user already. */
function readBusy(stat: string): number {
  const [, ...fields] = (/^cpu .*$/m.exec(stat)?.[0] ?? '').split(/\s+/)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields.map(Number)
  return (user + nice + system + irq + softirq + steal) * tickMs
}

function readMemory(text: string): number {
  const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0)
  return (kibibytes('MemTotal') - kibibytes('MemAvailable')) * 1024
}
