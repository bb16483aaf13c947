/** What COPY and ADD take out of the context, so that what is missing is told before anything is sent. */
import { posix } from 'node:path'
import type { Dockerfile, Instruction, Place, Word } from './dockerfile.ts'
import { flagOf } from './dockerfile.ts'
import { isHeredocWord } from './heredoc.ts'
import { mountOptions } from './mounts.ts'
import { type Scope, scopesOf } from './scopes.ts'
import { type Building, builtStages } from './stages.ts'

export interface CopySource extends Place {
  readonly keyword: 'ADD' | 'COPY' | 'RUN'
  /** As it is written, its variables put in. */
  readonly written: string
  /** In the context, without a slash in front: `` is all of it, `../x` lies outside. With wildcards a pattern. */
  readonly path: string
  /** It has wildcards, as Go's filepath.Match knows them. */
  readonly pattern: boolean
}

/**
 * Sources in the context of the stages that are made; URLs, other stages, images and heredocs are none. Those with
 * variables that only the base image can have are left out, as nobody knows here what they mean.
 */
export function copySources(dockerfile: Dockerfile, building: Building): readonly CopySource[] {
  const scoped = scopesOf(dockerfile, building)
  return builtStages(dockerfile, scoped, building).flatMap(({ instructions }) =>
    instructions.flatMap(({ instruction, scope }) => sourcesOf(instruction, scope)),
  )
}

function sourcesOf(instruction: Instruction, scope: Scope): CopySource[] {
  const { keyword } = instruction
  if (keyword === 'RUN') return mounted(instruction)
  if (keyword !== 'ADD' && keyword !== 'COPY') return []
  if ((flagOf(instruction, 'from')?.value ?? '') !== '') return []
  return sourceWords(instruction).flatMap((word) => {
    const expanded = scope.expand(word.text)
    if (!scope.certain(expanded) || expanded.problem !== undefined) return []
    if (keyword === 'ADD' && isRemote(expanded.text)) return []
    return [sourceFrom(keyword, expanded.text, word)]
  })
}

/** All but the destination, and without heredocs. */
export function sourceWords({ args, json }: Instruction): readonly Word[] {
  return args.slice(0, -1).filter(({ text }) => json || !isHeredocWord(text))
}

/** What ADD fetches over the network: an URL, or a git repository. */
export function isRemote(source: string): boolean {
  return /^(?:https?|ftp|ssh|git):\/\//i.test(source) || /^git@[\w.-]+:/.test(source)
}

function sourceFrom(keyword: CopySource['keyword'], written: string, { line, column }: Place): CopySource {
  const cleaned = posix.normalize(written.replace(/^\/+/, '')).replace(/\/$/, '')
  const path = cleaned === '.' ? '' : cleaned
  return { keyword, written, path, pattern: /[*?[]/.test(path), line, column }
}

function mounted({ flags }: Instruction): CopySource[] {
  return flags.flatMap(({ name, value = '', line, column }) => {
    if (name !== 'mount') return []
    const options = mountOptions(value)
    const type = options.get('type') ?? 'bind'
    const source = options.get('source') ?? options.get('src')
    if (type !== 'bind' || options.has('from') || source === undefined || /\$/.test(source)) return []
    return [{ ...sourceFrom('RUN', source, { line, column }), pattern: false }]
  })
}

/** Whether a source lies outside of the context: no builder can reach it there. */
export function leavesContext({ path }: CopySource): boolean {
  return path === '..' || path.startsWith('../')
}
