/** Streams in `cove up`: server and agent in one process. */
import test from 'ava'
import { streamsSuite } from './streams.suite.ts'

streamsSuite(test, {})
