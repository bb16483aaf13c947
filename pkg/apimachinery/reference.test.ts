import test from 'ava'
import fc from 'fast-check'
import { canonicalReference, familiarReference, isFloating, parseReference } from './reference.ts'

const sha = `sha256:${'0123456789abcdef'.repeat(4)}`

function canonical(text: string): string {
  const parsed = parseReference(text)
  return parsed.ok ? canonicalReference(parsed.reference) : parsed.message
}

function familiar(text: string): string {
  const parsed = parseReference(text)
  return parsed.ok ? familiarReference(parsed.reference) : parsed.message
}

/** As written; with everything implied; as the engine lists it. */
const references: readonly (readonly [string, string, string])[] = [
  ['a', 'docker.io/library/a:latest', 'a:latest'],
  ['a:1', 'docker.io/library/a:1', 'a:1'],
  ['u/a', 'docker.io/u/a:latest', 'u/a:latest'],
  ['foo/bar', 'docker.io/foo/bar:latest', 'foo/bar:latest'],
  ['h:5000/a:1', 'h:5000/a:1', 'h:5000/a:1'],
  ['foo.io/bar', 'foo.io/bar:latest', 'foo.io/bar:latest'],
  ['foo:5000/bar', 'foo:5000/bar:latest', 'foo:5000/bar:latest'],
  ['localhost/a', 'localhost/a:latest', 'localhost/a:latest'],
  ['127.0.0.1:5000/lib/bb:1', '127.0.0.1:5000/lib/bb:1', '127.0.0.1:5000/lib/bb:1'],
  ['[2001:db8::1]:5000/a:1', '[2001:db8::1]:5000/a:1', '[2001:db8::1]:5000/a:1'],
  ['[::1]/a', '[::1]/a:latest', '[::1]/a:latest'],
  ['docker.io/a', 'docker.io/library/a:latest', 'a:latest'],
  ['index.docker.io/a:1', 'docker.io/library/a:1', 'a:1'],
  ['docker.io/library/a:1', 'docker.io/library/a:1', 'a:1'],
  ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ['docker.io/foo.bar/x', 'docker.io/foo.bar/x:latest', 'docker.io/foo.bar/x:latest'],
  [`a@${sha}`, `docker.io/library/a@${sha}`, `a@${sha}`],
  [`a:1@${sha}`, `docker.io/library/a:1@${sha}`, `a:1@${sha}`],
  ['a-b__c_d/e--f.g', 'docker.io/a-b__c_d/e--f.g:latest', 'a-b__c_d/e--f.g:latest'],
  [`a:${'x'.repeat(128)}`, `docker.io/library/a:${'x'.repeat(128)}`, `a:${'x'.repeat(128)}`],
  ['a:_1.x-Y', 'docker.io/library/a:_1.x-Y', 'a:_1.x-Y'],
]

test('a reference is completed as the engine completes it, and shortened as it lists it', (t) => {
  for (const [text, long, short] of references) {
    t.is(canonical(text), long, text)
    t.is(familiar(text), short, text)
  }
})

test('a refusal says which part is wrong and why', (t) => {
  const refused: Readonly<Record<string, string>> = {
    '': 'must not be empty',
    'UP:1': 'repository "UP" must be lower case',
    'foo.io/Bar': 'repository "Bar" must be lower case',
    'a b': 'repository "a b" is not a valid repository name',
    'a:': 'tag "" is not a valid tag',
    'a:-x': 'tag "-x" is not a valid tag',
    [`a:${'x'.repeat(129)}`]: `tag "${'x'.repeat(129)}" is not a valid tag`,
    'a@sha256:abc': 'digest "sha256:abc" must be sha256: and 64 hexadecimal digits',
    [`a@${sha}0`]: `digest "${sha}0" must be sha256: and 64 hexadecimal digits`,
    [`a@${sha.toUpperCase()}`]: `digest "${sha.toUpperCase()}" must be sha256: and 64 hexadecimal digits`,
    'a@': 'digest "" must be sha256: and 64 hexadecimal digits',
    'foo.io/': 'the repository is missing',
    'foo..io/a': 'registry "foo..io" is not HOST or HOST:PORT',
    'h:port/a': 'registry "h:port" is not HOST or HOST:PORT',
    '/a': 'repository "/a" is not a valid repository name',
    'a//b': 'repository "a//b" is not a valid repository name',
    'a_-b': 'repository "a_-b" is not a valid repository name',
    'http://foo.io/a': 'registry "http:" is not HOST or HOST:PORT',
    [sha.slice(7)]: `"${sha.slice(7)}" is the id of an image, not a name`,
    [`u/${'a'.repeat(254)}`]: 'the repository is longer than 255 characters',
  }
  for (const [text, message] of Object.entries(refused)) {
    t.deepEqual(parseReference(text), { ok: false, message }, text)
  }
})

const word = fc.stringMatching(/^[a-z0-9]{1,4}((\.|_|__|-{1,2})[a-z0-9]{1,3})?$/)
const reference = fc
  .tuple(
    fc.option(fc.constantFrom('docker.io', 'index.docker.io', 'foo.io', 'localhost', 'h:5000', '[::1]:80'), {
      nil: undefined,
    }),
    fc.array(fc.oneof(word, fc.constant('library')), { minLength: 1, maxLength: 3 }),
    fc.option(fc.stringMatching(/^[A-Za-z0-9_][\w.-]{0,5}$/), { nil: undefined }),
    fc.boolean(),
  )
  .map(([registry, path, tag, digest]) =>
    [
      registry === undefined ? '' : `${registry}/`,
      path.join('/'),
      tag === undefined ? '' : `:${tag}`,
      digest ? `@${sha}` : '',
    ].join(''),
  )

test('the long and the short form stand for the reference they were made from', (t) => {
  fc.assert(
    fc.property(reference, (text) => {
      const long = canonical(text)
      t.true(parseReference(text).ok, text)
      t.is(canonical(long), long)
      t.is(canonical(familiar(text)), long)
    }),
  )
})

test('no text makes the parser throw', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const parsed = parseReference(text)
      t.true(parsed.ok || parsed.message !== '')
    }),
  )
})

test('only the tag latest without a digest floats', (t) => {
  const floats = (text: string) => {
    const parsed = parseReference(text)
    return parsed.ok && isFloating(parsed.reference)
  }
  t.true(floats('a'))
  t.true(floats('a:latest'))
  t.false(floats('a:1'))
  t.false(floats(`a@${sha}`))
  t.false(floats(`a:latest@${sha}`))
})
