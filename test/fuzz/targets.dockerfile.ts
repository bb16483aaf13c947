/** Fuzz targets of Dockerfiles, which the server reads as anybody writes them. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import { type Checking, checkDockerfile } from '#pkg/build/dockerfile/check.ts'
import type { Instruction, Place } from '#pkg/build/dockerfile/dockerfile.ts'
import { keywords } from '#pkg/build/dockerfile/dockerfile.ts'
import { chooseBuilder } from '#pkg/build/dockerfile/features.ts'
import { withStageLabels } from '#pkg/build/dockerfile/labels.ts'
import { lintDockerfile } from '#pkg/build/dockerfile/lint.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { copySources } from '#pkg/build/dockerfile/sources.ts'
import { externalImages } from '#pkg/build/dockerfile/stages.ts'
import { dockerfiles } from '../fixtures/dockerfiles.ts'
import { hold, type Target } from './target.ts'

const checking: Checking = { args: { A: 'x y', PASSWORD: '"' }, platform: 'linux/amd64' }

const dockerfile: Target = {
  name: 'dockerfile',
  seeds: dockerfiles.filter(({ text }) => text.length < 4_000).map(({ text }) => text),
  words: [
    ...keywords.map((keyword) => `\n${keyword} `),
    ' \\\n',
    '# escape=`\n',
    ' AS ',
    '--from=',
    '--mount=type=',
    '<<EOF\n',
    '\nEOF\n',
    '["',
    '", "',
    '"]',
    '${A:-',
    '${A//',
    '${A%',
    '}',
    '$',
    "'",
    '=',
    ',',
    'apt-get install ',
    ' rm ',
    ' && ',
    '/var/lib/apt/lists',
    'export A=',
    '\nENV A=$A$A\n',
    '${A##*a',
  ],
  // As much as a Build can hold: what takes quadratic time shows here.
  maxBytes: 256 * 1024,
  rounds: 150,
  run: (input) => {
    const text = input.toString()
    const { dockerfile: read, problems } = parseDockerfile(text)
    const last = text.split('\n').length
    const inside = ({ line, column }: Place) => line >= 1 && line <= last && column >= 1
    hold(problems.every(inside), 'a problem stands in the file')
    const all: Instruction[] = read.stages.flatMap(({ from, instructions }) => [from, ...instructions])
    hold(all.every(inside), 'an instruction stands in the file')
    hold(
      all.every(
        ({ line, endLine }, index) => endLine >= line && (all[index + 1]?.line ?? last + 1) > endLine,
      ),
      'instructions follow each other',
    )
    for (const builder of ['Classic', 'BuildKit'] as const) {
      hold(
        checkDockerfile(read, { ...checking, builder }).every(inside),
        'what is checked stands in the file',
      )
      externalImages(read, { ...checking, builder })
      copySources(read, { ...checking, builder })
      chooseBuilder({ dockerfile: read, builder, secrets: 0, engineBuilder: builder, engineVersion: '20.10' })
      lintDockerfile(read, { ...checking, builder })
    }
    if (problems.length > 0) return
    const labelled = withStageLabels(read, { 'cove.run/build': "a/it's" })
    const again = parseDockerfile(labelled.text)
    hold(again.problems.length === 0, 'a labelled Dockerfile is as good as it was')
    hold(again.dockerfile.stages.length === read.stages.length, 'labels make no stages')
    const mapped = again.dockerfile.stages.map(({ from }) => labelled.lineOf(from.line))
    hold(
      mapped.every((line, index) => line === read.stages[index]?.from.line),
      'lines of a labelled Dockerfile lead back',
    )
  },
}

export const dockerfileTargets: readonly Target[] = [dockerfile]
