import test from 'ava'
import { imageText, shortID, shortImage } from './container.image.ts'

const id = `sha256:${'ab'.repeat(32)}`

test('an image is told by its reference, or by whose result it is', (t) => {
  t.is(imageText({ image: 'app:1' }), 'app:1')
  t.is(imageText({ imageFrom: { image: 'app' } }), 'that of Image app')
  t.is(imageText({ imageFrom: { build: 'app' } }), 'that of Build app')
})

test('a table shows a reference without its digest, and an id by its first digits', (t) => {
  t.is(shortImage(`app:1@${id}`), 'app:1')
  t.is(shortImage(id), 'abababababab')
  t.is(shortID(`app:1@${id}`), `app:1@${id}`)
})
