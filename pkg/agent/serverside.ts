/** What the agent has of its server, wired: what is desired, what is told of it, and what is kept while the server is away. */

import type { ContainerStatus } from '#pkg/apis/container.ts'
import { type EventNote, EventRecorder } from '#pkg/client/recorder.ts'
import { Client } from '#pkg/client/rest.ts'
import { ServerLink } from '#pkg/client/serverlink.ts'
import type { AgentOptions } from './agentoptions.ts'
import { DesiredState } from './desired.ts'
import { NodeMemory } from './memory.ts'
import { NodeRegistration } from './node.ts'
import { Reporter } from './reporter.ts'
import type { Desired } from './world.ts'

export interface ServerSide {
  readonly link: ServerLink
  readonly client: Client
  readonly desired: DesiredState
  readonly reporter: Reporter
  readonly recorder: EventRecorder
  readonly registration: NodeRegistration
  readonly memory: NodeMemory
  readonly snapshot: () => Desired
  readonly record: (note: EventNote) => void
}

export interface ServerSideOptions
  extends Pick<AgentOptions, 'transport' | 'ambient' | 'nodeName' | 'copies'> {
  /** By uid, as the agent last saw them; filled from the copy of an earlier run. */
  readonly statuses: Map<string, ContainerStatus>
  /** Something else is desired. */
  readonly onChange: () => void
  /** The server answers, or does not any more. */
  readonly onLink: () => void
}

export function openServerSide(options: ServerSideOptions): ServerSide {
  const { transport, ambient, nodeName, copies, statuses, onChange, onLink } = options
  const advice = `start the agent again${copies ? ` without ${copies.path}` : ''} to let this node work for that cluster`
  const link = new ServerLink({ transport, ambient, advice, onChange: onLink })
  const client = new Client(link.transport, 'cove-agent')
  const serverAnswers = () => link.answers()
  const desired = new DesiredState({ client, ambient, nodeName, onChange, serverAnswers })
  const reporter = new Reporter(client, ambient)
  const recorder = new EventRecorder({
    client,
    ambient,
    source: { component: 'cove-agent', host: nodeName },
    self: { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name: nodeName } },
    // What was taken must not be sent again by the next run.
    onDrained: () => memory.keep(),
  })
  const record = (note: EventNote) => recorder.record(note)
  const registration = new NodeRegistration({ client, reporter, ambient, nodeName, record })
  const memory = new NodeMemory({ ambient, nodeName, copies, link, desired, recorder, statuses })
  const snapshot = () => desired.snapshot()
  return { link, client, desired, reporter, recorder, registration, memory, snapshot, record }
}
