import test from 'ava'
import type { Reason } from '#pkg/apimachinery/errors.ts'
import {
  archiveError,
  imageError,
  isVersionMismatch,
  pullError,
  pushError,
  refusalError,
} from './dockererror.ts'

const create =
  'failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process'
const endpoint = 'driver failed programming external connectivity on endpoint web (9c5f)'

const refusals: readonly [Reason, number, string][] = [
  ['HostPortInUse', 500, `${endpoint}: Bind for 0.0.0.0:8080 failed: port is already allocated`],
  [
    'HostPortInUse',
    500,
    `${endpoint}: Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use`,
  ],
  ['HostPortInUse', 500, `${endpoint}: something new`],
  [
    'EngineError',
    500,
    `${endpoint}: (iptables failed: iptables --wait -t nat -A DOCKER: No chain by that name)`,
  ],
  ['EngineError', 500, `${endpoint}: listen tcp4 10.9.9.9:80: bind: cannot assign requested address`],
  [
    'MountSourceMissing',
    400,
    'invalid mount config for type "bind": bind source path does not exist: /nosuch',
  ],
  [
    'MountSourceMissing',
    400,
    `${create}: error during container init: error mounting "/a" to rootfs at "/a": stat /a: no such file or directory: unknown`,
  ],
  ['ExecutableNotFound', 400, `${create}: exec: "nosuch": executable file not found in $PATH: unknown`],
  [
    'ExecutableNotFound',
    400,
    `${create}: exec: "/no/such": stat /no/such: no such file or directory: unknown`,
  ],
  ['ExecutableNotFound', 400, `${create}: exec: "/bin": permission denied: unknown`],
  ['ExecutableNotFound', 400, `${create}: exec: "/bin": is a directory: permission denied`],
  [
    'ExecutableNotFound',
    404,
    'crun: executable file `nosuch` not found in $PATH: No such file or directory: OCI runtime attempted to invoke a command that was not found',
  ],
  ['ImageNotFound', 404, 'No such image: cove/none:1'],
  ['NotFound', 404, 'No such container: web'],
  ['NotFound', 404, 'network web not found'],
  ['NotFound', 404, 'get data: no such volume'],
  ['NotFound', 500, 'container 2050 is not connected to network web'],
  [
    'NameInUse',
    409,
    'Conflict. The container name "/web" is already in use by container "2711f2fd". You have to remove (or rename) that container to be able to reuse that name.',
  ],
  ['NameInUse', 409, 'network with name web already exists'],
  ['NameInUse', 403, 'endpoint with name web already exists in network front'],
  ['InUse', 409, 'remove data: volume is in use - [94f4aeb4]'],
  ['InUse', 403, 'error while removing network: network web id da34 has active endpoints'],
  ['InUse', 403, 'Pool overlaps with other one on this address space'],
  [
    'InUse',
    409,
    'conflict: unable to delete 83e82274b4ec (must be forced) - image is being used by stopped container 55b3',
  ],
  [
    'InUse',
    409,
    'conflict: unable to remove repository reference "a:1" (must force) - container 55b3 is using its referenced image 83e8',
  ],
  ['Conflict', 409, 'Container 2050 is already paused'],
  ['Conflict', 500, 'Container 2050 is not paused'],
  ['Conflict', 400, 'Renaming a container with the same name as its current name'],
  ['Conflict', 409, 'cannot start a paused container, try unpause instead'],
  [
    'Conflict',
    403,
    'container cannot be connected to multiple networks with one of the networks in private (none) mode',
  ],
  ['InvalidSpec', 400, 'No command specified'],
  ['InvalidSpec', 400, 'Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
  ['InvalidSpec', 404, 'plugin "nosuch" not found'],
  ['UserNotFound', 500, 'unable to find user nobodyx: no matching entries in passwd file'],
  [
    'DeviceNotFound',
    500,
    'error gathering device information while adding custom device "/dev/x": no such file or directory',
  ],
  [
    'InvalidSpec',
    500,
    `${create}: error during container init: open /proc/sys/net/core/x: no such file or directory`,
  ],
  ['NoSpace', 500, 'mkdir /var/lib/docker/overlay2/x: no space left on device'],
  ['EngineUnavailable', 503, 'service unavailable'],
  ['EngineError', 500, 'something nobody has seen before'],
]

for (const [reason, statusCode, message] of refusals) {
  test(`a refusal is ${reason} when the engine says: ${message}`, (t) => {
    const error = refusalError({ statusCode, message })
    t.is(error.reason, reason)
    const [own, hint = ''] = [error.message.slice(0, message.length), error.message.slice(message.length)]
    t.is(own, message)
    t.is(/^ \(.*(program|of the image).*\)$/.test(hint), reason === 'ExecutableNotFound')
    t.is(hint === '', reason !== 'ExecutableNotFound')
  })
}

const pulls: readonly [Reason, number, string][] = [
  ['ImageNotFound', 404, 'manifest for 127.0.0.1:5000/app:2 not found: manifest unknown: manifest unknown'],
  ['ImageNotFound', 404, 'no matching manifest for linux/arm64/v8 in the manifest list entries'],
  [
    'ImageNotFound',
    404,
    "pull access denied for nosuch, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
  ],
  ['ImageNotFound', 404, 'words of another engine'],
  ['RegistryUnauthorized', 500, 'unauthorized: authentication required'],
  ['RegistryUnauthorized', 500, 'Head "http://127.0.0.1:5000/v2/app/manifests/1": no basic auth credentials'],
  ['RegistryUnauthorized', 500, 'unauthorized: incorrect username or password'],
  ['RegistryUnauthorized', 500, 'denied: installation not allowed to read organization package'],
  ['RegistryRateLimited', 500, 'toomanyrequests: You have reached your pull rate limit.'],
  [
    'RegistryRateLimited',
    200,
    'error pulling image configuration: download failed after attempts=6: Too Many Requests',
  ],
  [
    'RegistryUnavailable',
    500,
    'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
  ],
  [
    'RegistryUnavailable',
    500,
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host',
  ],
  ['RegistryInsecure', 500, 'Get "https://10.0.0.1:5000/v2/": x509: certificate signed by unknown authority'],
  [
    'RegistryInsecure',
    500,
    'Get "https://10.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client',
  ],
  [
    'RegistryUnavailable',
    500,
    'Get "https://10.0.0.1:5000/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
  ],
  ['RegistryUnavailable', 500, 'received unexpected HTTP status: 502 Bad Gateway'],
  ['RegistryUnavailable', 200, 'unexpected EOF'],
  ['RegistryUnavailable', 500, "invalid character '<' looking for beginning of value"],
  ['RegistryUnavailable', 200, 'filesystem layer verification failed for digest sha256:1'],
  ['RegistryUnavailable', 500, 'Get "http://127.0.0.1:5000/v2/": stopped after 10 redirects'],
  [
    'NoSpace',
    200,
    'failed to register layer: Error processing tar file(exit status 1): write /bin/x: no space left on device',
  ],
  ['InvalidSpec', 400, 'invalid reference format'],
  ['EngineError', 500, 'something nobody has seen before'],
]

for (const [reason, statusCode, message] of pulls) {
  test(`a pull fails with ${reason} when the engine says: ${message}`, (t) => {
    const error = pullError({ statusCode, message })
    t.is(error.reason, reason)
    t.true(error.message.startsWith(message))
  })
}

test('a denied pull says that the image may also be private', (t) => {
  const message = "pull access denied for x, repository does not exist or may require 'docker login'"
  t.regex(pullError({ statusCode: 404, message }).message, /private repository/)
})

test('a refusal for want of TLS says how to allow it', (t) => {
  const plain = 'Get "https://10.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client'
  t.regex(
    pullError({ statusCode: 500, message: plain }).message,
    /spec\.engine\.insecureRegistries of the Node/,
  )
  const untrusted = 'Get "https://10.0.0.1:5000/v2/": x509: certificate signed by unknown authority'
  t.regex(pullError({ statusCode: 500, message: untrusted }).message, /certs\.d.*insecureRegistries/)
})

test('a rate limit says when to come back where the registry does', (t) => {
  const secondsOf = (message: string) => pullError({ statusCode: 500, message }).details.retryAfterSeconds
  t.is(secondsOf('toomanyrequests: retry-after: 30, allowed: 44000/minute'), 30)
  t.is(secondsOf('toomanyrequests: try again in 2m'), 120)
  t.is(secondsOf('toomanyrequests: retry after 451.112ms'), 1)
  t.is(secondsOf('toomanyrequests: You have reached your pull rate limit.'), undefined)
})

const archives: readonly [Reason, string, string][] = [
  [
    'InvalidSpec',
    'is no tar archive',
    'Error processing tar file(exit status 1): archive/tar: invalid tar header',
  ],
  ['InvalidSpec', 'is damaged or breaks off', 'Error processing tar file(exit status 1): unexpected EOF'],
  [
    'InvalidSpec',
    'holds no image, or is no tar archive',
    'open /var/lib/docker/tmp/docker-import-1/repositories: no such file or directory',
  ],
  [
    'InvalidSpec',
    'holds a layer that is not what it says',
    'invalid diffID for layer 3: expected "sha256:ca", got "sha256:37"',
  ],
  [
    'InvalidSpec',
    'lacks a part of its image',
    'open /var/lib/docker/tmp/docker-import-1/5c66/layer.tar: no such file or directory',
  ],
  ['NoSpace', '', 'Error processing tar file(exit status 1): write /x: no space left on device'],
  ['EngineError', '', 'something nobody has seen before'],
]

for (const [reason, means, message] of archives) {
  test(`an archive fails with ${reason} when the engine says: ${message}`, (t) => {
    const error = archiveError({ statusCode: 500, message })
    t.is(error.reason, reason)
    t.is(error.message, means === '' ? message : `the archive ${means}: ${message}`)
  })
}

test('a push of what is not there is told from a registry that has it not', (t) => {
  t.is(pushError({ statusCode: 200, message: 'tag does not exist: x:7' }).reason, 'ImageNotFound')
  t.is(pushError({ statusCode: 500, message: 'no basic auth credentials' }).reason, 'RegistryUnauthorized')
})

test('a look at an image that is not there is NotFound', (t) => {
  t.is(imageError({ statusCode: 404, message: 'No such image: x:1' }).reason, 'NotFound')
  t.is(imageError({ statusCode: 500, message: 'x' }).reason, 'EngineError')
})

test('an engine without words is described by its status', (t) => {
  t.is(refusalError({ statusCode: 500, message: ' ' }).message, 'the engine answered with status 500')
})

test('both refusals of an API version are told from other bad requests', (t) => {
  const tooNew = 'client version 1.99 is too new. Maximum supported API version is 1.41'
  const tooOld = 'client version 1.10 is too old. Minimum supported API version is 1.12, please upgrade'
  t.true(isVersionMismatch({ statusCode: 400, message: tooNew }))
  t.true(isVersionMismatch({ statusCode: 400, message: tooOld }))
  t.false(isVersionMismatch({ statusCode: 400, message: 'No command specified' }))
})
