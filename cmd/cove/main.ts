/** The executable's entry. */
import { versionText } from './embedded.ts'

process.stdout.write(`cove ${versionText()}\n`)
