/** Code of the executable that is loaded only when it is asked for. */
import { createRequire } from 'node:module'
import { getAsset, isSea } from 'node:sea'
import { daemonsAsset } from './embedded.ts'

/** `cove up|server|agent`, loaded when one of them is asked for: the CLI starts faster without their code. */
export async function loadDaemons(): Promise<typeof import('./daemon.ts')> {
  if (!isSea()) return await import('./daemon.ts')
  const { compileFunction } = await import('node:vm')
  const run = compileFunction(getAsset(daemonsAsset, 'utf8'), ['module', 'exports', 'require'], {
    filename: daemonsAsset,
  })
  const module = { exports: {} }
  run(module, module.exports, createRequire(process.execPath))
  // The build made the file from the very module that the type names.
  return module.exports as typeof import('./daemon.ts')
}
