/** `cove image inspect`: what the engine itself says of images, as one JSON list, as `docker image inspect` prints it. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { UsageError } from '../errors.ts'
import { type Json, parseFormat } from '../format.ts'
import { compileTemplate } from '../gotemplate.ts'
import { findImage, heldImages } from '../images/meant.ts'
import { eachInTurn, nodePath, readNodes } from '../images/nodes.ts'
import type { Context } from '../session.ts'

const command = 'image inspect'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const words = args.positionals
  if (words.length === 0) throw new UsageError('name an image', command)
  const print = printer(context)
  const session = await context.session()
  const held = await heldImages(await readNodes(args, session), session)
  const found: Json[] = []
  const code = await eachInTurn(words, io, async (word) => {
    const { node, image } = findImage(word, held)
    const path = nodePath(node, 'images/raw')
    const raw = await session.client.json({ method: 'GET', path, query: { image: image.id } }, session.signal)
    if (isPlainObject(raw)) found.push(raw)
  })
  await io.stdout.write(await print(found))
  return code
}

function printer({ args }: Context): (images: readonly Json[]) => Promise<string> | string {
  const [template, output] = [args.text('format'), args.text('output')]
  if (template !== undefined && output !== undefined)
    throw new UsageError('--format and -o exclude each other', command)
  if (template !== undefined && template !== 'json') {
    const print = compileTemplate(template, { command })
    return (images) => images.map((image) => `${print(image)}\n`).join('')
  }
  if (output === undefined)
    return (images) =>
      template === 'json' ? `${JSON.stringify(images)}\n` : `${JSON.stringify(images, null, 4)}\n`
  const format = parseFormat(output, { showManagedFields: true, command })
  if (format.kind === 'table' || output === 'name')
    throw new UsageError(`unknown output format "${output}": one of json, yaml, jsonpath=TEMPLATE`, command)
  return async (images) => (await Promise.all(images.map((image) => format.print(image)))).join('')
}
