/** Streams through the tunnel: server and agent as two processes. */
import test from 'ava'
import { streamsSuite } from './streams.suite.ts'

streamsSuite(test, { apart: true })
