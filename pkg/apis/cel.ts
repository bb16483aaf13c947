/**
 * The language of the rules in the schemas: CEL with what Kubernetes adds to it and our rules use. The one file that
 * knows the library. Loading it takes longer than most commands of the CLI run, so it is loaded where rules are asked.
 */
import { Environment } from '@marcbachmann/cel-js'
import { addKubernetesFunctions } from './celfunctions.ts'
import { type Compile, makeChecker, type RuleChecker } from './rules.ts'
import type { Schema } from './schema.ts'

/** A checker with an environment of its own: keep one for as long as there is something to check. */
export function makeRuleChecker(): RuleChecker {
  return makeChecker(celCompiler())
}

/** Rules are asked of values whose shape a schema has fixed, so types are not declared: see typeErrors. */
function celCompiler(): Compile {
  const environment = new Environment({ enableOptionalTypes: true })
    .registerVariable('self', 'dyn')
    .registerVariable('oldSelf', 'dyn')
  addKubernetesFunctions(environment)
  const some = environment.parse('optional.of(oldSelf)')
  const none = environment.parse('optional.none()')
  return (expression, { optional }) => {
    const evaluate = environment.parse(expression)
    if (!optional) return (scope) => evaluate({ ...scope })
    return ({ self, ...old }) => evaluate({ self, oldSelf: 'oldSelf' in old ? some(old) : none({}) })
  }
}

/**
 * What is wrong with the rules of a schema before they are asked of any value: names of fields that do not exist,
 * operands that do not go together, a rule that gives no bool. Empty: nothing.
 */
export function typeErrors(schema: Schema): string[] {
  const problems: string[] = []
  visit(schema, '', (at, path) => {
    const validations = at['x-kubernetes-validations'] ?? []
    if (validations.length === 0) return
    for (const { rule, messageExpression, optionalOldSelf } of validations) {
      const scope = new Environment({ enableOptionalTypes: true })
      addKubernetesFunctions(scope)
      const type = new Types(scope).of(path === '' ? withNames(at) : at)
      const old = optionalOldSelf === true ? `optional<${type}>` : type
      scope.registerVariable('self', type).registerVariable('oldSelf', old)
      const say = (text: string, wanted: string) => {
        const checked = scope.check(text)
        if (checked.type !== wanted)
          problems.push(`${path}: ${text}: ${checked.error?.message ?? checked.type}`)
      }
      say(rule, 'bool')
      if (messageExpression !== undefined) say(messageExpression, 'string')
    }
  })
  return problems
}

function visit(schema: Schema, path: string, look: (schema: Schema, path: string) => void): void {
  look(schema, path)
  for (const [name, member] of Object.entries(schema.properties ?? {})) visit(member, `${path}.${name}`, look)
  if (schema.items !== undefined) visit(schema.items, `${path}[]`, look)
  if (schema.additionalProperties !== undefined) visit(schema.additionalProperties, `${path}{}`, look)
}

/** Of metadata, rules see the names only. */
function withNames(schema: Schema): Schema {
  const names: Schema = {
    type: 'object',
    properties: { name: { type: 'string' }, generateName: { type: 'string' } },
  }
  return { ...schema, properties: { ...schema.properties, metadata: names } }
}

/** Declares each object of a schema as a type of its own. */
class Types {
  readonly #environment: Environment
  #count = 0

  constructor(environment: Environment) {
    this.#environment = environment
  }

  of(schema: Schema): string {
    if (schema['x-kubernetes-int-or-string'] === true) return 'dyn'
    switch (schema.type) {
      case 'object':
        return this.#object(schema)
      case 'array':
        return `list<${this.of(schema.items ?? {})}>`
      case 'string':
        return schema.format === 'date-time' ? 'google.protobuf.Timestamp' : 'string'
      case 'integer':
        return 'int'
      case 'number':
        return 'double'
      case 'boolean':
        return 'bool'
      default:
        return 'dyn'
    }
  }

  #object({ properties, additionalProperties }: Schema): string {
    if (additionalProperties !== undefined) return `map<string, ${this.of(additionalProperties)}>`
    const fields = Object.fromEntries(
      Object.entries(properties ?? {}).map(([name, member]) => [name, this.of(member)]),
    )
    this.#count++
    const name = `Object${this.#count}`
    this.#environment.registerType(name, { fields })
    return name
  }
}
