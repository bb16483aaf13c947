/** The environment of programs that a test starts: what they need of ours, and nothing else that could sway them. */

/** PATH, and where Node keeps what it has compiled of the sources, when the run has such a place. */
export function bareEnv(): Readonly<Record<string, string>> {
  const { PATH = '', NODE_COMPILE_CACHE: compiled } = process.env
  return { PATH, ...(compiled !== undefined && { NODE_COMPILE_CACHE: compiled }) }
}
