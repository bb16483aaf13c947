/** Doing what is planned about builds: one op. Nothing is decided here. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { OpOf } from '../ops.ts'

export async function fetchContext(_op: OpOf<'fetchContext'>): Promise<void> {
  throw new StatusError('InternalError', 'contexts are not fetched yet')
}

export async function buildImage(_op: OpOf<'buildImage'>): Promise<void> {
  throw new StatusError('InternalError', 'nothing is built yet')
}
