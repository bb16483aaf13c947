/** Label selectors and field selectors: Kubernetes' grammar, parsed once, matched often. */
import { badRequest } from './errors.ts'

export type Requirement =
  | { key: string; operator: 'In' | 'NotIn'; values: readonly string[] }
  | { key: string; operator: 'Exists' | 'NotExists' }

export type LabelSelector = readonly Requirement[]

const requirementPattern =
  /^\s*(?:(!)\s*([^\s!=<>,()]+)|([^\s!=<>,()]+)(?:\s*(==|=|!=)\s*([^\s!=<>,()]*)|\s+(in|notin)\s*\(([^()]*)\))?)\s*$/

/** `a=b,c!=d,e in (x,y),f,!g`. Throws BadRequest on anything else. */
export function parseLabelSelector(text: string): LabelSelector {
  if (text.trim() === '') return []
  return splitOutsideParentheses(text).map(parseRequirement)
}

export function matchesLabels(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> = {},
): boolean {
  return selector.every((requirement) => {
    const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined
    switch (requirement.operator) {
      case 'In':
        return value !== undefined && requirement.values.includes(value)
      case 'NotIn':
        return value === undefined || !requirement.values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'NotExists':
        return value === undefined
      default:
        return false
    }
  })
}

export interface FieldRequirement {
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

/** `metadata.name=web,status.phase!=Running`. Which fields exist is the kind's business. */
export function parseFieldSelector(text: string): readonly FieldRequirement[] {
  if (text.trim() === '') return []
  return text.split(',').map((part) => {
    const match = /^\s*([^\s!=]+)\s*(==|=|!=)/.exec(part)
    if (match === null) throw badRequest(`invalid field selector "${text}": "${part}" is not FIELD=VALUE`)
    const [head, field = '', operator] = match
    return { field, equal: operator !== '!=', value: part.slice(head.length).trim() }
  })
}

export function matchesFields(
  requirements: readonly FieldRequirement[],
  read: (field: string) => string | undefined,
): boolean {
  return requirements.every(({ field, equal, value }) => ((read(field) ?? '') === value) === equal)
}

function parseRequirement(part: string): Requirement {
  const match = requirementPattern.exec(part)
  if (match === null) throw badRequest(`unable to parse label selector requirement "${part.trim()}"`)
  const [, bang, absentKey, key = '', operator, value = '', setOperator, set = ''] = match
  if (bang !== undefined && absentKey !== undefined) return { key: absentKey, operator: 'NotExists' }
  if (operator !== undefined) return { key, operator: operator === '!=' ? 'NotIn' : 'In', values: [value] }
  if (setOperator === undefined) return { key, operator: 'Exists' }
  if (set.trim() === '') throw badRequest(`label selector "${part.trim()}" names no value`)
  const values = set.split(',').map((member) => member.trim())
  return { key, operator: setOperator === 'in' ? 'In' : 'NotIn', values }
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '(') depth++
    if (text[index] === ')') depth--
    if (text[index] === ',' && depth === 0) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  return [...parts, text.slice(start)]
}
