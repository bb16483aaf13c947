/**
 * What a Build itself says of its image: names, and the text of the Dockerfile. Apart from the schema, which takes a while
 * to load: commands tell of these without it. Pure.
 */
import type { Build, BuildSpec } from './build.ts'

/** Names that its image has: of one without tags its own, which no registry has. */
export function namesOfBuild({ metadata, spec }: Pick<Build, 'metadata' | 'spec'>): readonly string[] {
  return spec.tags.length > 0 ? spec.tags : [ownNameOfBuild(metadata)]
}

/** Of the image of a Build without tags. */
export function ownNameOfBuild({
  namespace = 'default',
  name,
}: {
  namespace?: string
  name: string
}): string {
  return `localhost/${namespace}/${name}:latest`
}

/** Text of the Dockerfile, where the object has it; one that comes with other files only the node knows. */
export function dockerfileInObject({ context, dockerfile, dockerfileInline }: BuildSpec): string | undefined {
  return dockerfileInline ?? context.inline?.files[dockerfile]
}
