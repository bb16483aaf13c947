/**
 * Completes package-lock.json. A registry mirror that lacks a package for somebody else's platform makes npm leave
 * that package out of the lock, and npm 11's `npm ci` then refuses the whole lock. Written here instead, with the
 * platform it is for: nobody on another platform ever fetches it.
 */

interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

type Packages = Readonly<Record<string, LockedPackage>>

interface Lock {
  readonly packages: Packages
}

/** The text of a complete lock; the same text when nothing was missing. */
export function completeLock(text: string): string {
  const lock: Lock = JSON.parse(text)
  const missing = Object.entries(lock.packages).flatMap(([path, locked]) =>
    Object.entries(locked.optionalDependencies ?? {})
      .filter(([name]) => !isLocked(lock.packages, path, name))
      .map(([name, version]) => ({ name, version, dev: locked.dev === true })),
  )
  if (missing.length === 0) return text
  const entries = [
    ...Object.entries(lock.packages),
    ...missing.map((one): [string, object] => [`node_modules/${one.name}`, lockedPlatformPackage(one)]),
  ]
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`
}

/** As Node resolves: beside the dependent's own modules, then in each folder above. */
function isLocked(packages: Packages, dependent: string, name: string): boolean {
  const folders = dependent.split('/node_modules/')
  const above = folders.map((_, index) => folders.slice(0, folders.length - index).join('/node_modules/'))
  return [...above, ''].some((folder) => `${folder}${folder && '/'}node_modules/${name}` in packages)
}

const platform = /-(?<os>aix|android|darwin|freebsd|linux|win32)-(?<cpu>arm64|x64)(?<musl>-musl)?$/

function lockedPlatformPackage(missing: { name: string; version: string; dev: boolean }): object {
  const found = platform.exec(missing.name)?.groups
  if (found === undefined || !/^\d/.test(missing.version)) {
    throw new Error(`package-lock.json lacks ${missing.name}@${missing.version}: run npm install`)
  }
  const file = `${missing.name.split('/').at(-1)}-${missing.version}.tgz`
  return {
    version: missing.version,
    resolved: `https://registry.npmjs.org/${missing.name}/-/${file}`,
    cpu: [found['cpu']],
    ...(missing.dev && { dev: true }),
    ...(found['os'] === 'linux' && { libc: [found['musl'] === undefined ? 'glibc' : 'musl'] }),
    optional: true,
    os: [found['os']],
  }
}
