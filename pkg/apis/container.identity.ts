/** Who a Container is to others on its engine: labels that programs read, and a container that it takes over. */
import { text } from './container.fields.ts'
import { rules, stringMap } from './schema.ts'

export const labels = stringMap({
  maxProperties: 256,
  description:
    'Labels of the container on the engine, for programs that read them there. Unlike metadata.labels, which it gets too, their values may be any text. A change recreates the container.',
  ...rules({
    rule: "!self.exists(name, name == '' || name.startsWith('cove.run/'))",
    message: 'names that begin with cove.run/ are kept for Cove',
  }),
})

export const adopt = text(
  "The engine's id of a container that Cove did not make, written by `cove adopt`: it is taken over as it is, if it is what the spec asks for. Without meaning once that container is gone.",
  { pattern: '^[0-9a-f]{64}$' },
)
