/** Every command, once, by subject: its flags, its help, and where its code is, loaded when it is run. */
import type { Command } from './command.ts'
import { adoptingCommands } from './commandtable.adopting.ts'
import { containerCommands } from './commandtable.containers.ts'
import { imageCommands } from './commandtable.images.ts'
import { insideCommands } from './commandtable.inside.ts'
import { lookCommands } from './commandtable.looks.ts'
import { objectCommands } from './commandtable.objects.ts'
import { pruneCommands } from './commandtable.prune.ts'
import { registryCommands } from './commandtable.registry.ts'
import { rolloutCommands } from './commandtable.rollout.ts'
import { serverCommands } from './commandtable.server.ts'

export interface CommandGroup {
  readonly title: string
  readonly commands: readonly Command[]
}

/** In the order of the overview; the last one is where commands of the program itself belong. */
export const commandGroups: readonly CommandGroup[] = [
  { title: 'Objects and manifests', commands: objectCommands },
  { title: 'What happened, and going back', commands: rolloutCommands },
  { title: 'Making and running containers', commands: containerCommands },
  { title: 'Inside of containers', commands: insideCommands },
  { title: 'Looking at containers and nodes', commands: lookCommands },
  { title: 'Images on nodes', commands: imageCommands },
  { title: 'Removing what nothing needs', commands: pruneCommands },
  { title: 'Registries', commands: registryCommands },
  { title: 'Coming from Docker', commands: adoptingCommands },
  { title: 'Server and nodes', commands: serverCommands },
]

export const commands: readonly Command[] = commandGroups.flatMap((group) => group.commands)
