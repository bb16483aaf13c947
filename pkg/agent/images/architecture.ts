/** Engines tell the machine as its kernel does, images as Go does. Pure. */
const architectures: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i386: '386',
  i686: '386',
}

/** `amd64` of `x86_64`: what images for that machine say. */
export function imageArchitecture(machine: string): string {
  return architectures[machine] ?? machine
}
