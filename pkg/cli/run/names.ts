/** Names for Containers that nobody named: two words, as Docker gives them. */
import type { Random } from '#pkg/apimachinery/ambient.ts'

const manners = (
  'able airy amber apt bold brave breezy bright brisk calm clear clever cosy crisp dapper deft eager early ' +
  'fair fleet fond frank free fresh gentle glad golden grand happy hardy keen kind lively loyal lucky mellow ' +
  'merry mild neat nimble noble patient placid plain polite prompt proud quick quiet ready rosy sharp silent ' +
  'smart snug sober steady sunny swift tidy true trusty vivid warm wise witty'
).split(' ')

const waters = (
  'anchor atoll bay beach boat bollard breeze buoy cape channel cliff coast coral crab creek current delta dune ' +
  'estuary ferry fjord gull harbour heron inlet island islet jetty keel kelp lagoon lake marina marsh mast ' +
  'mooring oar osprey otter pebble pelican pier pilot port quay raft reef ripple river sail sandbar seal shoal ' +
  'shore skiff sloop spray strait surf tern tide wave wharf'
).split(' ')

export function randomName(random: Random): string {
  const pick = (words: readonly string[]) => words[Math.floor(random.next() * words.length)] ?? ''
  return `${pick(manners)}-${pick(waters)}`
}
