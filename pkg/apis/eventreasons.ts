/**
 * The reasons of all events that Cove writes: stable words for programs, beside the sentences for people. The type
 * holds every recorder to it; docs/events.md is made from it.
 */

interface Meaning {
  readonly type: 'Normal' | 'Warning'
  /** The kinds that such events are about. */
  readonly about: string
  readonly meaning: string
}

const done = (about: string, meaning: string): Meaning => ({ type: 'Normal', about, meaning })
const trouble = (about: string, meaning: string): Meaning => ({ type: 'Warning', about, meaning })

/** By who writes them: the agent for each op, the agent for the rest, the control plane, the recorder itself. */
export const eventReasons = {
  Pulled: done('Container, Image', 'The image was pulled, or is up to date.'),
  ErrImagePull: trouble(
    'Container, Image',
    'The image could not be pulled; it is tried again ever more slowly.',
  ),
  Tagged: done(
    'Container, Image',
    'An image that was there under another name got the one that is asked for.',
  ),
  FailedTag: trouble('Container, Image', 'That failed.'),
  Untagged: done('Image', 'A name was taken from an image; the message counts what went with it.'),
  FailedUntag: trouble('Image', 'That failed.'),
  Pushed: done('Image', 'The image was sent to a registry; the message has its digest there.'),
  FailedPush: trouble('Image', 'It could not be sent; it is tried again ever more slowly.'),
  Transferred: done('Image', 'The image came from another node, only the layers that were missing.'),
  FailedTransfer: trouble('Image', 'The other node could not be asked, or does not send the image.'),
  Loaded: done('Image', 'The image came out of an archive.'),
  FailedLoad: trouble('Image', 'The archive could not be had, or does not hold the image.'),
  Imported: done('Image', 'The image was made of an archive of files.'),
  FailedImport: trouble('Image', 'The archive could not be had, or is none.'),
  Committed: done('Image', 'The image was made of what a container has written.'),
  FailedCommit: trouble('Image', 'That failed.'),
  ContextFetched: done('Build', 'The files that the image is made of are on the node.'),
  FailedFetchContext: trouble('Build', 'They could not be had; it is tried again ever more slowly.'),
  Built: done('Build', 'The image was built.'),
  FailedBuild: trouble(
    'Build',
    'A step failed, or the build could not be begun. It is tried again when an input moves, and by itself only when a registry or a server was away.',
  ),
  FailedKeepImage: trouble(
    'Build',
    'The Image of its name is not its own, or the namespace does not take it: nothing is built until then.',
  ),
  VolumeCreated: done('Volume', 'The volume was made on the engine.'),
  FailedCreateVolume: trouble('Volume', 'That failed.'),
  VolumeRemoved: done(
    'Volume',
    'The volume was removed from the engine with its data, as its reclaimPolicy says.',
  ),
  FailedRemoveVolume: trouble('Volume', 'That failed.'),
  NetworkCreated: done('Network', 'The network was made on the engine.'),
  FailedCreateNetwork: trouble('Network', 'That failed.'),
  NetworkRemoved: done('Network', 'The network was removed from the engine.'),
  FailedRemoveNetwork: trouble('Network', 'That failed.'),
  FilesWritten: done(
    'Container',
    'The files of a ConfigMap or Secret were written for the container to mount.',
  ),
  FailedWriteFiles: trouble('Container', 'That failed.'),
  Created: done('Container', 'A container was made on the engine.'),
  FailedCreate: trouble('Container', 'The engine refused to make the container.'),
  Started: done('Container', 'The container was started.'),
  FailedStart: trouble('Container', 'The engine could not start the container.'),
  Stopped: done('Container', 'The container was asked to end, and has ended.'),
  FailedStop: trouble('Container', 'That failed.'),
  Restarted: done('Container', 'The container was stopped and started again.'),
  FailedRestart: trouble('Container', 'That failed.'),
  Paused: done('Container', 'The processes of the container were frozen.'),
  FailedPause: trouble('Container', 'That failed.'),
  Unpaused: done('Container', 'The processes of the container go on.'),
  FailedUnpause: trouble('Container', 'That failed.'),
  Renamed: done(
    'Container',
    'The container got another name on the engine, and with it another role in a replacement.',
  ),
  FailedRename: trouble('Container', 'That failed.'),
  Updated: done('Container', 'Limits were changed as the container ran.'),
  FailedUpdate: trouble('Container', 'That failed.'),
  Removed: done('Container', 'The container was removed from the engine.'),
  FailedRemove: trouble('Container', 'That failed.'),
  NetworkConnected: done('Container', 'The container joined a network.'),
  FailedConnectNetwork: trouble('Container', 'That failed.'),
  NetworkDisconnected: done('Container', 'The container left a network.'),
  FailedDisconnectNetwork: trouble('Container', 'That failed.'),
  EngineConfigWritten: done('Node', "The engine's daemon.json was written, or put back as it was."),
  EngineReloaded: done('Node', 'The engine was asked to read its settings again.'),
  FailedEngineConfig: trouble('Node', "The engine's settings could not be changed; none of it is half done."),
  EngineConfigRefused: trouble('Node', 'The engine did not take its settings: the old ones are back.'),
  DiskPressure: trouble('Node', 'The disk of the engine is nearly full.'),
  DiskPressureOver: done('Node', 'There is room again on the disk of the engine.'),
  Pruned: done('PrunePolicy', 'Something that nothing needs was removed, or would be in a dry run.'),
  FailedPrune: trouble('PrunePolicy', 'That failed; the rest was tried all the same.'),
  Released: done('Container, Volume, Network, Image, Build', 'Nothing of the object is left on the node.'),
  FailedRelease: trouble('Container, Volume, Network, Image, Build', 'The API could not be told so.'),
  HealthcheckStalled: done(
    'Container',
    'The engine stopped checking the container: it is frozen for an instant, which makes the engine begin again.',
  ),
  HealthcheckRearmed: done('Container', 'The engine checks the container again.'),
  FailedRearmHealthcheck: trouble('Container', 'That failed.'),
  Completed: done('Container', 'The main process ended with exit code 0.'),
  Exited: trouble(
    'Container',
    'The main process ended by itself; the message has its exit code and last lines.',
  ),
  OOMKilled: trouble('Container', 'The kernel killed the main process for its memory.'),
  StartError: trouble(
    'Container',
    'The main process could not be started, as with a program that is missing.',
  ),
  BackOff: trouble(
    'Container',
    'It ended again soon after its start: the next start waits, and longer each time.',
  ),
  Unhealthy: trouble('Container', 'So many checks in a row failed as its healthcheck allows.'),
  HealingBudgetSpent: trouble(
    'Container',
    'It was begun anew so often as its budget allows and is unhealthy all the same: it is tried once an hour.',
  ),
  AnonymousVolume: done(
    'Container',
    'The image declares a VOLUME where spec.mounts has nothing: a volume that nobody named keeps that data.',
  ),
  InvalidEnvironmentVariableNames: trouble(
    'Container',
    'Keys of a Secret or ConfigMap are no names of variables and were left out.',
  ),
  FailedToRetrieveImagePullSecret: trouble(
    'Container',
    'Secrets that are named for pulling are not there, or hold no credentials.',
  ),
  NewImage: done('Image', 'The registry has a new image, and the message says what that waits for.'),
  ImageTaken: done('Image', 'The new image is taken: the Containers that follow are replaced.'),
  ImageRejected: trouble(
    'Image',
    'A Container was rolled back from the image: the one before is back, and that one is not taken again.',
  ),
  RolloutComplete: done('Container', 'What the spec asks for has passed its trial.'),
  RolloutFailed: trouble('Container', 'What the spec asks for was tried and found bad, with its last lines.'),
  RolledBack: trouble('Container', 'The container before serves again.'),
  RolloutHeld: trouble(
    'Container',
    'What the spec asks for is bad and stays all the same, as spec.update.onFailure says.',
  ),
  Scheduled: done('Container, Volume, Network, Image', 'A node was found for it.'),
  FailedScheduling: trouble(
    'Container, Volume, Network, Image',
    'No node takes it; the message says why of each.',
  ),
  OwnerRefInvalidNamespace: trouble(
    'any',
    'The object names an owner that cannot exist where it names it; it is kept.',
  ),
  EventsDropped: trouble('Node', 'There were more events than the server could be told.'),
} as const satisfies Readonly<Record<string, Meaning>>

export type EventReason = keyof typeof eventReasons
