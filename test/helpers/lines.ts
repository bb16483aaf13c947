/**
 * Lines of `cove` as processes, in the namespace of a scene. Words are separated by blanks, single quotes keep them
 * together, and IMAGE is the image of the tests.
 */
import assert from 'node:assert/strict'
import type { ExecutionContext, TestFn } from 'ava'
import { program, type TestCove } from './cove.ts'
import { baseImage } from './engine.ts'
import type { Output } from './kubectl.ts'
import { bareEnv } from './processenv.ts'
import { makeScene, type Scene } from './scene.ts'
import { inTerminal, type Step } from './terminal.ts'

/** Tests with a scene each, one after the other: each command is a process that takes a core for a second. */
export function oneByOne(test: TestFn, cove: () => TestCove) {
  return (title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>) =>
    test.serial(title, async (t) => {
      await body(t, await makeScene(cove()))
      t.pass()
    })
}

export function wordsOf({ namespace }: Scene, line: string): string[] {
  const words = [...line.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''))
  const [command = '', ...rest] = words.map((word) => (word === 'IMAGE' ? baseImage : word))
  return [command, '-n', namespace, ...rest]
}

export function run(scene: Scene, line: string, input?: string): Promise<Output> {
  return scene.cove.cli(wordsOf(scene, line), input)
}

/** What it prints; it must succeed. */
export async function ok(scene: Scene, line: string, input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(scene, line, input)
  assert.equal(code, 0, `cove ${line}: ${stderr}`)
  return stdout
}

export function environment({ kubeconfig }: TestCove) {
  return { ...bareEnv(), KUBECONFIG: kubeconfig, TERM: 'xterm' }
}

export function terminal(scene: Scene, line: string, steps: readonly Step[]) {
  const argv = [process.execPath, program, ...wordsOf(scene, line)]
  return inTerminal(argv, steps, environment(scene.cove))
}
