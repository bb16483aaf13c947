/** Every command, once, by subject: its flags, its help, and where its code is, loaded when it is run. */
import type { Command } from './command.ts'
import { adoptingCommands } from './commandtable.adopting.ts'
import { buildCommands } from './commandtable.builds.ts'
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
  { title: 'Building images', commands: buildCommands },
  { title: 'Images on nodes', commands: imageCommands },
  { title: 'Removing what nothing needs', commands: pruneCommands },
  { title: 'Registries', commands: registryCommands },
  { title: 'Coming from Docker', commands: adoptingCommands },
  { title: 'Server and nodes', commands: serverCommands },
]

/** What `cove GROUP` says before it lists the commands of the group. */
export const groupIntroductions: Readonly<Record<string, string>> = {
  image:
    'What the engines of nodes hold at this moment. What should be there is said by Image objects: `cove get images`, `cove describe image NAME`.',
  system: 'What lies on the disks of nodes, and what of it nothing needs.',
  container:
    'Containers are objects: `cove get containers`, `cove describe container NAME`. What runs on nodes, managed or not: `cove ps`.',
  network: 'Networks are objects: `cove get networks`, `cove describe network NAME`.',
  volume: 'Volumes are objects: `cove get volumes`, `cove describe volume NAME`.',
  init: 'Files to begin with.',
  builder: 'What builds have left on nodes.',
  registry:
    'What registries hold. How nodes stand to one is said by Registry objects: `cove get registries`. Logging in is `cove login`.',
}

export const commands: readonly Command[] = commandGroups.flatMap((group) => group.commands)
