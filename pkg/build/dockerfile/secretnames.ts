/** Names of variables that are those of secrets, by what people call them. */

const secretName =
  /(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|SECRET|TOKEN|CREDENTIALS?|(?:API|ACCESS|PRIVATE|SECRET)_?KEY)(?:_|$)/i
/** Where it is, not what it is. */
const placeName = /_(?:FILE|PATH|DIR|URL|ID|NAME)$/i

export function isSecretName(name: string): boolean {
  return secretName.test(name) && !placeName.test(name)
}

export interface GivenArgs {
  readonly args?: Readonly<Record<string, string>>
  /** Called like secrets, and none. */
  readonly publicArgs?: readonly string[]
}

/** Names of arguments whose values everybody would read in the history of the image. Empty values tell nothing. */
export function secretArgs({ args = {}, publicArgs = [] }: GivenArgs): readonly string[] {
  return Object.entries(args)
    .filter(([name, value]) => value !== '' && isSecretName(name) && !publicArgs.includes(name))
    .map(([name]) => name)
}

export const whySecretArg =
  'everybody could read it in the history of the image: give it by spec.secrets (--secret), or name it in spec.publicArgs (--public-arg) when it is no secret'
