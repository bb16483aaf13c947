/** What the schemas of a Container are written in beside the words of schema.ts. */
import * as Type from 'typebox'

export const text = (description: string, options: Record<string, unknown> = {}) =>
  Type.String({ description, ...options })
export const port = { minimum: 1, maximum: 65535 }
export const objectName = (description: string) => text(description, { minLength: 1, maxLength: 253 })
