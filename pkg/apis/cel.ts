/**
 * The language of the rules in the schemas: CEL with what Kubernetes adds to it and our rules use. The one file that
 * knows the library. Loading it takes longer than most commands of the CLI run, so it is loaded where rules are asked.
 */
import { Environment } from '@marcbachmann/cel-js'
import { addKubernetesFunctions } from './celfunctions.ts'
import { type Compile, makeChecker, type RuleChecker } from './rules.ts'

/** A checker with an environment of its own: keep one for as long as there is something to check. */
export function makeRuleChecker(): RuleChecker {
  return makeChecker(celCompiler())
}

/** Rules ask of values whose shape a schema has fixed, so types are not declared: structural.test.ts checks them. */
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
