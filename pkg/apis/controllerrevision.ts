/**
 * ControllerRevision: what an object asked for at some time, kept for going back. As Kubernetes' apps/v1 has it; here of
 * Containers, written by the control plane.
 */
import * as Type from 'typebox'
import type { KubeObject, ObjectMeta } from '#pkg/apimachinery/meta.ts'
import { parseApiVersion } from '#pkg/apimachinery/meta.ts'
import { ageColumn } from './columns.ts'
import { type Kind, kindName } from './kind.ts'
import { objectSchema } from './object.ts'

export interface ControllerRevision extends KubeObject {
  kind: 'ControllerRevision'
  data?: Record<string, unknown>
  revision: number
}

const data = Type.Optional(
  Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    description:
      'What was asked for: of a Container its `spec`, as far as a rollout is about it. Never changes.',
  }),
)

const revision = Type.Integer({
  minimum: 0,
  description: 'The greatest is the newest. What is asked for again gets a new number, not a second object.',
})

export const controllerRevisionKind: Kind<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  singular: 'controllerrevision',
  shortNames: [],
  categories: [],
  namespaced: true,
  description:
    'ControllerRevision keeps what its owner asked for at some time, so that `cove rollout undo` can go back to it.',
  schema: objectSchema(
    { data, revision },
    ['revision'],
    [
      {
        rule: 'has(self.data) == has(oldSelf.data) && (!has(self.data) || self.data == oldSelf.data)',
        message: 'field is immutable',
        fieldPath: '.data',
      },
    ],
  ),
  statusSubresource: false,
  selectableFields: [],
  columns: [
    {
      name: 'Controller',
      type: 'string',
      description: 'Whose it is.',
      cell: ({ metadata }) => controllerText(metadata),
    },
    {
      name: 'Revision',
      type: 'integer',
      description: 'Its number; the greatest is the newest.',
      jsonPath: '.revision',
      cell: (object) => object.revision,
    },
    ageColumn,
  ],
  rules: [],
}

function controllerText({ ownerReferences = [] }: ObjectMeta): string {
  const owner = ownerReferences.find(({ controller }) => controller === true)
  if (owner === undefined) return '<none>'
  const { group } = parseApiVersion(owner.apiVersion)
  return `${kindName({ group, kind: owner.kind.toLowerCase() })}/${owner.name}`
}
