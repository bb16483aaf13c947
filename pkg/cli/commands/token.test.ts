import { X509Certificate } from 'node:crypto'
import test from 'ava'
import { caPin } from '#pkg/client/capin.ts'
import { ask } from '#test/helpers/apiserver.ts'
import { startCliServer } from '#test/helpers/cli.ts'

const secrets = 'GET /api/v1/namespaces/kube-system/secrets'

test('create prints, once, the command that joins, with the pin of the server that it asked', async (t) => {
  const { cove, kubeconfig } = await startCliServer(t)
  const { code, stdout, stderr } = await cove('token create --server https://c.example:7443 --ttl 30m')
  t.is(code, 0, stderr)
  const cluster = JSON.parse(await kubeconfig()).clusters[0].cluster
  const ca = new X509Certificate(Buffer.from(cluster['certificate-authority-data'], 'base64')).toString()
  const command = `cove agent --join https://c.example:7443 --ca-pin ${caPin(ca)} --token-file - <<'EOF'\n`
  t.true(stdout.startsWith(command), stdout)
  t.regex(stdout.slice(command.length), /^[a-z0-9]{6}\.[a-z0-9]{16}\nEOF\n$/)
  t.regex(stderr, /is good for 30m/)
  t.notRegex(stderr, /reaches this machine only/)
  t.regex((await cove('token create')).stderr, /reaches this machine only/)
})

test('a token is a Secret as kubeadm makes it', async (t) => {
  const { cove, transport } = await startCliServer(t)
  const words = "token create -o token --ttl 0 --node edge-1 --description 'the shed'"
  const token = (await cove(words)).stdout.trim()
  const [id, secret] = token.split('.')
  const { body } = await ask(transport, secrets)
  const [{ metadata, type, data }] = body.items
  t.is(metadata.name, `bootstrap-token-${id}`)
  t.is(type, 'bootstrap.kubernetes.io/token')
  const texts = Object.entries(data).map(([key, value]) => [
    key,
    Buffer.from(String(value), 'base64').toString(),
  ])
  t.deepEqual(Object.fromEntries(texts), {
    'token-id': id,
    'token-secret': secret,
    'usage-bootstrap-authentication': 'true',
    'node-name': 'edge-1',
    description: 'the shed',
  })
  const list = (await cove('token list')).stdout
  t.regex(list, new RegExp(`^ID +NODE +EXPIRES +DESCRIPTION\n${id} +edge-1 +<never> +the shed\n$`))
  t.false(list.includes(secret ?? ''))
})

test('delete takes the token away', async (t) => {
  const { cove, transport } = await startCliServer(t)
  const [id] = (await cove('token create -o token')).stdout.split('.')
  t.is((await cove(`token delete ${id}`)).stdout, `token "${id}" deleted\n`)
  t.deepEqual((await ask(transport, secrets)).body.items, [])
  t.regex((await cove('token list')).stderr, /No tokens found/)
  t.regex((await cove(`token delete ${id}`)).stderr, /not found/)
})

test('a command line that is wrong is a usage error, and never repeats what may be a token', async (t) => {
  const { cove } = await startCliServer(t)
  const wrong = [
    'token',
    'token make',
    'token create x',
    'token create --ttl soon',
    'token create --server c:1',
    'token delete',
  ]
  for (const words of [...wrong, 'token create --node A_b', 'token delete abcdef.0123456789abcdef']) {
    const { code, stderr } = await cove(words)
    t.is(code, 2, words)
    t.false(stderr.includes('0123456789abcdef'))
  }
})
