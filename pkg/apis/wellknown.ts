/** Names that several parts must agree on. */

/** Labels that everything Cove makes on an engine carries. */
export const engineLabels = {
  uid: 'cove.run/uid',
  namespace: 'cove.run/namespace',
  name: 'cove.run/name',
  /** Of the resolved spec a container was created from. */
  fingerprint: 'cove.run/fingerprint',
  /** How the agent itself is to check the container, where the engine does not. */
  probe: 'cove.run/probe',
  /** Names of its variables whose values come from Secrets, joined by commas. */
  secretVariables: 'cove.run/secret-variables',
  /** The UID of the `default` Namespace of the API it belongs to: several may share one engine. */
  cluster: 'cove.run/cluster',
  /** The value of restartAnnotation when the container was made: that request is answered. */
  restartedAt: 'cove.run/restarted-at',
  /** On what a build leaves on its way: `namespace/name` of the Build. */
  build: 'cove.run/build',
} as const

/**
 * Whose it is by its labels; undefined: nobody's. Empty is the mark of images that were committed from a container of
 * Cove: engines give an image the labels of its container, and so whatever is run from it would be that container's double.
 */
export function clusterOf(labels: Readonly<Record<string, string>>): string | undefined {
  const cluster = labels[engineLabels.cluster]
  return cluster === '' ? undefined : cluster
}

/** What `clusterOf` takes for nobody's, as a line of a Dockerfile. */
export const nobodysLabel = `LABEL ${engineLabels.cluster}=""`

/** On images, containers, networks and volumes of an engine, whoever made them: pruning leaves them; `false` is none. */
export const keepLabel = 'cove.run/keep'

/** kubectl's: the manifest as last applied, the base of the three-way patch. */
export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration'

/** Kubernetes': the object goes after its dependents. */
export const foregroundFinalizer = 'foregroundDeletion'

/** Kubernetes': the object goes when its dependents do not name it as their owner any more. */
export const orphanFinalizer = 'orphan'

const nodeFinalizerPrefix = 'node.cove.run/'

/**
 * Says that a node holds something of the object on its engine. Placement puts it on, together with the node's
 * name; the agent of that node acts only on objects that carry it, and takes it off when it has cleaned up.
 */
export function nodeFinalizer(nodeName: string): string {
  return `${nodeFinalizerPrefix}${nodeName}`
}

/**
 * On objects that several nodes may hold, beside the finalizer and with the same words: the label by which a node asks
 * for what it holds, since no selector can ask for finalizers. Its value is empty.
 */
export function nodeLabel(nodeName: string): string {
  return nodeFinalizer(nodeName)
}

/** The node of a node finalizer, or of a node label; undefined for any other. */
export function nodeOfFinalizer(finalizer: string): string | undefined {
  return finalizer.startsWith(nodeFinalizerPrefix) ? finalizer.slice(nodeFinalizerPrefix.length) : undefined
}

/**
 * The name on the engine: the object's own in `default`, NAMESPACE.NAME elsewhere. The namespace, which holds no dot,
 * is written also before a name of `default` that holds one: `shop.web` is Container web of namespace shop, never
 * Container shop.web of `default`, or the two would share a Volume. So it is before a name that the engine would take
 * for the id of somebody else's container or network, or for a volume that nobody named.
 */
export function engineName(meta: { namespace?: string; name: string }): string {
  const { namespace = 'default', name } = meta
  const plain = namespace === 'default' && !name.includes('.') && !engineId.test(name)
  return plain ? name : `${namespace}.${name}`
}

/** Of a Volume or Network, which may stand for one that the engine has under any name. */
export function engineNameOf(object: {
  metadata: { namespace?: string; name: string }
  spec: { externalName?: string }
}): string {
  return object.spec.externalName ?? engineName(object.metadata)
}

/** In full: of shorter ones the engine prefers the name. */
const engineId = /^[0-9a-f]{64}$/

/**
 * The name of a container that is made while its predecessor still has the object's. No object's name holds an
 * underscore: `web.next` would be the name of Container next of namespace web, who could keep web from ever changing.
 */
export function successorName(meta: { namespace?: string; name: string }): string {
  return `${engineName(meta)}_next`
}

/**
 * Containers that stand aside for the one that serves: the parked predecessor, to which a failed replacement goes back;
 * one that was no good itself and only waits for its removal; and one that was tried and failed.
 */
export const asides = ['prev', 'old', 'failed'] as const
export type Aside = (typeof asides)[number]

/** Roles are in the names, for names can be changed and labels cannot: an agent that was killed reads them again. */
export function asideName(meta: { namespace?: string; name: string }, aside: Aside, id: string): string {
  return `${engineName(meta)}_${aside}-${id.slice(0, 6)}`
}

/** Asks for one restart for each value it is given, such as the time of asking. `cove rollout restart` sets it. */
export const restartAnnotation = 'cove.run/restartedAt'

/**
 * On an Image: the digest that a person says may be taken, perhaps followed by a blank and the time of saying so, which
 * makes it a new approval. `cove image approve` sets it.
 */
export const approvedAnnotation = 'cove.run/approved'

/** On an Image: asks the registry once for each value it is given, such as the time of asking. `cove image check` sets it. */
export const checkAnnotation = 'cove.run/check-requested'

/**
 * On a Build: asks for one build for each value it is given, such as the time of asking, perhaps followed by a blank and
 * `no-cache` or `pull`. `cove build NAME` sets it.
 */
export const buildAnnotation = 'cove.run/build-requested'

/** On a Build: breaks off what is under way, once for each value it is given. `cove build cancel NAME` sets it. */
export const cancelAnnotation = 'cove.run/cancel-requested'

/** The nearest name that an object may have, of what engines and Compose call a thing. */
export function nearestObjectName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
  return plain.length < 2 ? `${plain || 'x'}-0` : plain
}

/** The Secret of a namespace that `cove login` writes for a registry as references name it: `login.r.example.com-5000`. */
export function loginSecretName(registry: string): string {
  const plain = registry.toLowerCase().replace(/[^a-z0-9.-]+/g, '-')
  return `${loginPrefix}${plain.replace(/^[-.]+|[-.]+$/g, '')}`
}

const loginPrefix = 'login.'

export function isLoginSecretName(name: string): boolean {
  return name.startsWith(loginPrefix)
}
