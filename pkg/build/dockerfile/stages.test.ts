// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import { parseDockerfile } from './parse.ts'
import { copySources, leavesContext } from './sources.ts'
import { type Building, externalImages } from './stages.ts'

const read = (...lines: string[]) => parseDockerfile(`${lines.join('\n')}\n`).dockerfile
const imagesOf = (dockerfile: ReturnType<typeof read>, building: Building = {}) =>
  externalImages(dockerfile, building).map(({ reference, by, line }) => `${by} ${reference} ${line}`)
const sourcesOf = (dockerfile: ReturnType<typeof read>, building: Building = {}) =>
  copySources(dockerfile, building).map(({ path, pattern }) => (pattern ? `${path} *` : path))

const twoStages = read(
  'ARG V=1',
  'FROM golang:$V AS build',
  'COPY --from=tools:2 /x /x',
  'FROM scratch AS unused',
  'COPY --from=other /y /y',
  'FROM build AS more',
  'FROM alpine',
  'COPY --from=build /x /x',
  'COPY --from=2 /x /x',
  'RUN --mount=type=bind,from=mounted:1,target=/m true',
)

test('images from outside are those of FROM, COPY --from and mounts that no stage has the name of', (t) => {
  t.deepEqual(imagesOf(twoStages), [
    'FROM golang:1 2',
    'COPY tools:2 3',
    'COPY other 5',
    'FROM alpine 7',
    'RUN mounted:1 10',
  ])
})

test('BuildKit leaves out what the target does not need, the classic builder only what comes behind it', (t) => {
  t.deepEqual(imagesOf(twoStages, { builder: 'BuildKit' }), [
    'FROM golang:1 2',
    'COPY tools:2 3',
    'FROM alpine 7',
    'RUN mounted:1 10',
  ])
  t.deepEqual(imagesOf(twoStages, { builder: 'BuildKit', target: 'unused' }), ['COPY other 5'])
  t.deepEqual(imagesOf(twoStages, { target: 'BUILD' }), ['FROM golang:1 2', 'COPY tools:2 3'])
  t.deepEqual(imagesOf(twoStages, { target: 'nothing' }), [])
})

test('arguments from outside choose images, and defaults hold where none is given', (t) => {
  t.deepEqual(imagesOf(twoStages, { args: { V: '2' }, target: 'build' }), [
    'FROM golang:2 2',
    'COPY tools:2 3',
  ])
  const chosen = read('ARG BASE=a', 'ARG FULL=${BASE}:1', 'FROM ${FULL} AS $X', 'FROM scratch')
  t.deepEqual(imagesOf(chosen), ['FROM a:1 3'])
})

test('an image that depends on the platform is told when that is known', (t) => {
  const dockerfile = read('FROM app-$TARGETARCH')
  t.deepEqual(imagesOf(dockerfile), [])
  t.deepEqual(imagesOf(dockerfile, { platform: 'linux/arm64' }), ['FROM app-arm64 1'])
})

test('sources are paths in the context, with what ARG and ENV say in them', (t) => {
  const dockerfile = read(
    'FROM scratch AS one',
    'ARG D=src',
    'ENV F=$D/main.c',
    'COPY /package.json ./$F hom*.txt /x/',
    'COPY ["my file", "."]',
    'COPY . /x',
    'ADD https://example.com/a.tar.gz git@github.com:a/b.git a.tar /y/',
    'FROM one',
    'COPY --from=one /z /z',
    'COPY $F ../outside a/../../b /x/',
  )
  t.deepEqual(sourcesOf(dockerfile), [
    'package.json',
    'src/main.c',
    'hom*.txt *',
    'my file',
    '',
    'a.tar',
    'src/main.c',
    '../outside',
    '../b',
  ])
  t.deepEqual(
    copySources(dockerfile, {})
      .filter(leavesContext)
      .map(({ written, line, column }) => `${written} ${line}:${column}`),
    ['../outside 10:9', 'a/../../b 10:20'],
  )
  t.is(sourcesOf(dockerfile, { args: { D: 'lib' } })[1], 'lib/main.c')
})

test('what only the base image can know is no source that could be missing', (t) => {
  t.deepEqual(sourcesOf(read('FROM base', 'COPY $FROM_BASE/x b /y/')), ['b'])
  t.deepEqual(sourcesOf(read('FROM base', 'ARG EMPTY', 'COPY a$EMPTY /y')), ['a'])
})

test('bind mounts take from the context, too', (t) => {
  const dockerfile = read('FROM a', 'RUN --mount=source=src,target=/s --mount=type=cache,target=/c true')
  t.deepEqual(sourcesOf(dockerfile), ['src'])
})

test('heredocs are no sources', (t) => {
  t.deepEqual(sourcesOf(read('FROM scratch', 'COPY <<A b /x/', 'hi', 'A')), ['b'])
})
