// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import { fetchedByAdd, readersOf } from './reach.ts'

const sources = (...lines: string[]) =>
  fetchedByAdd(['FROM a', ...lines].join('\n')).map(({ source, line }) => `${line} ${source}`)

test('an address of ADD is found however it is written', (t) => {
  t.deepEqual(sources('ADD http://127.0.0.1/ /x'), ['2 http://127.0.0.1/'])
  t.deepEqual(sources('ADD ["https://a/b", "/x"]'), ['2 https://a/b'])
  t.deepEqual(sources('ADD git@host:repo.git /x'), ['2 git@host:repo.git'])
  t.deepEqual(sources('ARG U', 'ADD ${U} a $U /x'), ['3 ${U}', '3 $U'])
  t.deepEqual(sources('ADD h"t"tp:/\\/a /x'), ['2 h"t"tp:/\\/a'])
  t.deepEqual(sources('ONBUILD ADD http://a /x'), ['2 http://a'])
  t.deepEqual(sources('FROM b', 'ADD --chmod=1 \\', ' ftp://a /x'), ['4 ftp://a'])
})

test('files of the context are no addresses', (t) => {
  t.deepEqual(sources('ADD a b/*.tar.gz /x', 'COPY http:a /x', 'RUN wget http://a', 'ADD a $DIR'), [])
  t.deepEqual(sources('ADD <<EOF /x', 'http://a', 'EOF'), [])
})

test('images that read the file are found wherever BuildKit looks for them', (t) => {
  t.deepEqual(readersOf('# syntax=docker/dockerfile:1\nFROM a'), ['docker/dockerfile:1'])
  t.deepEqual(readersOf('\ufeff#!/bin/x\n\n  #SYNTAX = evil/x  \nFROM a'), ['evil/x'])
  t.deepEqual(readersOf('// syntax=evil/x\nFROM a'), ['evil/x'])
  t.deepEqual(readersOf('FROM a\n# syntax=none'), [])
  t.deepEqual(readersOf('FROM a', { BUILDKIT_SYNTAX: 'evil/x' }), ['evil/x'])
})
