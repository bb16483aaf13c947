/** The simulated engine keeps the port's promises. */
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { makeSimImage } from '#pkg/engine/simregistry.ts'
import { aboutCompression } from './engine.images.ts'
import { aboutFiles } from './engine.looks.ts'
import { engineSuite } from './engine.ts'
import { simulatedCommands, simulatedPrograms, simulatedRuns } from './engineprograms.ts'
import type { EngineUnderTest } from './enginesubject.ts'

const image = 'busybox:1'
const account = { username: 'cove', password: 'cove' }
const step = 50
const patience = 1000
const noFiles = 'a simulated container has no files'

engineSuite(
  test,
  async (): Promise<EngineUnderTest> => {
    const clock = new ManualClock()
    const pathExists = (path: string) => path !== '/missing'
    const engine = new SimEngine({
      clock,
      behaviour: simulatedPrograms,
      commands: simulatedCommands,
      runs: simulatedRuns,
      pathExists,
    })
    engine.loadImage(image, makeSimImage({}, image))
    engine.registry.set('registry.test/open:1', { layers: { '0123456789ab': 1000 } }, { pullTime: 500 })
    engine.registry.set('secured.test/protected:1')
    engine.registry.protect('secured.test', account)
    engine.registry.fail('unreachable.test', 'RegistryUnavailable')
    let names = 0
    let ports = 20_000

    async function settle<T>(call: Promise<T>): Promise<T> {
      let isDone = false
      const done = call.finally(() => {
        isDone = true
      })
      // The result is awaited below; this only stops the clock.
      done.catch(() => undefined)
      for (let turn = 0; !isDone && turn < patience; turn++) await clock.advance(step)
      return await done
    }

    return {
      engine,
      image,
      existingPath: '/existing',
      missingPath: '/missing',
      pulls: {
        open: 'registry.test/open:1',
        protected: 'secured.test/protected:1',
        account,
        missing: 'registry.test/missing:1',
        unreachable: 'unreachable.test/x:1',
      },
      uniqueName: () => `thing-${names++}`,
      freePort: async () => ports++,
      async occupyPort(port) {
        engine.occupyPort(port)
        return async () => engine.occupyPort(port, false)
      },
      settle,
      async until(check) {
        for (let turn = 0; turn < patience; turn++) {
          try {
            return await check()
          } catch (error) {
            if (turn === patience - 1) throw error
          }
          await clock.advance(step)
        }
        throw new Error('no patience left')
      },
      cleanup: () => engine.close(),
    }
  },
  {
    'what is put into a container as an archive comes out of it': noFiles,
    [aboutCompression]: 'nothing here unpacks that',
    [aboutFiles.changes]: noFiles,
    [aboutFiles.export]: noFiles,
  },
)
