/**
 * What the API promises on the level of HTTP, as tests over a transport: in process, or a wire. Time rules run where
 * the server's clock can be moved, counting rules where its counters can be read.
 */
import type { TestFn } from 'ava'
import { answering } from './apiserver.answering.ts'
import { applying } from './apiserver.applying.ts'
import { deleting } from './apiserver.deleting.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { lasting } from './apiserver.lasting.ts'
import { listing } from './apiserver.listing.ts'
import { managing } from './apiserver.managing.ts'
import { metadata } from './apiserver.metadata.ts'
import { patching } from './apiserver.patching.ts'
import { reading } from './apiserver.reading.ts'
import { relating } from './apiserver.relating.ts'
import { securing } from './apiserver.security.ts'
import { trying } from './apiserver.trying.ts'
import { watching } from './apiserver.watching.ts'
import { writing } from './apiserver.writing.ts'

export function apiServerSuite(test: TestFn, name: string, open: OpenApi): void {
  writing(test, name, open)
  lasting(test, name, open)
  trying(test, name, open)
  metadata(test, name, open)
  patching(test, name, open)
  managing(test, name, open)
  applying(test, name, open)
  deleting(test, name, open)
  relating(test, name, open)
  securing(test, name, open)
  reading(test, name, open)
  listing(test, name, open)
  answering(test, name, open)
  watching(test, name, open)
}
