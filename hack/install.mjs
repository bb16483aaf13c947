/**
 * Brings node_modules to what package-lock.json says, and leaves it alone when it is there already. Plain
 * JavaScript, because it runs on whatever Node the machine has, before the pinned one is installed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const stamp = 'node_modules/.stamp'

/** npm keeps what it installed in a lock of its own; platform packages of others are not in it. */
function installed() {
  if (!existsSync('node_modules/.package-lock.json')) return false
  const wanted = packagesOf('package-lock.json')
  const found = packagesOf('node_modules/.package-lock.json')
  const same = Object.entries(found).every(([path, { version }]) => wanted[path]?.version === version)
  return (
    same && Object.entries(wanted).every(([path, { optional }]) => optional || path === '' || path in found)
  )
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

function install() {
  process.stderr.write('npm ci: installing the pinned Node and the dependencies (about half a minute)\n')
  const npm = spawnSync('npm', ['ci', '--no-progress', '--loglevel=error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (npm.error !== undefined) throw npm.error
  if (npm.status !== 0) process.exit(npm.status ?? 1)
}

if (!installed()) install()
writeFileSync(stamp, '')
