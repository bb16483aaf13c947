/** What objects of the metrics API look like, for `explain` and for clients that look a kind up. */
import * as Type from 'typebox'
import { objectSchema } from './object.ts'
import { atomicList, type Schema } from './schema.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))
const usage = Type.Optional(
  Type.Record(Type.String(), Type.String(), {
    description: 'Amounts by resource: cpu in cores, memory in bytes.',
  }),
)
const moment = { timestamp: text('When it was looked.'), window: text('Over which time rates are told.') }
const containers = Type.Optional(
  atomicList(Type.Object({ name: text('Its name.'), usage }), { description: 'Its one container.' }),
)

export const nodeMetricsSchema: Schema = objectSchema({ ...moment, usage })
export const podMetricsSchema: Schema = objectSchema({ ...moment, containers })
