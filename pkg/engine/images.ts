/**
 * The part of the engine port (port.ts) that is about images: where they come from, what they are made of, what they are
 * called, where they go. Failures are as there; besides, InvalidSpec for an archive that is none, or whose layers are not
 * what they say. Pushes, loads and imports end when nothing moves for minutes: RegistryUnavailable, EngineError.
 */
import type { ImageConfig } from './settings.ts'

export interface PullProgress {
  /** The first 12 characters of the layer's id. */
  readonly layer: string
  readonly state: string
  readonly currentBytes?: number
  readonly totalBytes?: number
}

export interface RegistryCredentials {
  readonly username: string
  readonly password: string
}

export interface PullOptions {
  readonly credentials?: RegistryCredentials
  /** Every tag of the reference's repository, whatever its own. */
  readonly allTags?: true
  readonly platform?: string
  readonly onProgress?: (progress: PullProgress) => void
  readonly signal: AbortSignal
}

/** What a pull found. */
export interface PulledImage {
  /** The reference meant this very image here before. */
  readonly upToDate: boolean
  /** `sha256:...`, as the registry names it; of several tags the last one's. Absent: the engine did not say. */
  readonly digest?: string
}

/** What one image is, from its configuration. */
export interface ImageDetails {
  readonly id: string
  readonly references: readonly string[]
  readonly digests: readonly string[]
  /** The image it was made of by a builder of this engine; empty: none, or none that is known. */
  readonly parent: string
  readonly createdAt: string
  readonly sizeBytes: number
  readonly author: string
  readonly comment: string
  readonly os: string
  readonly architecture: string
  readonly variant: string
  /** Digests of the unpacked layers, the base first. */
  readonly layers: readonly string[]
  readonly config: DeclaredConfig
}

/** What an image says of the containers that are made from it, but for what may be secret. */
export interface DeclaredConfig
  extends Pick<
    ImageConfig,
    'user' | 'entrypoint' | 'cmd' | 'workingDir' | 'volumes' | 'exposedPorts' | 'stopSignal'
  > {
  /** Instructions that a build FROM it begins with. */
  readonly onBuild: readonly string[]
}

export interface ImageHistoryEntry {
  /** Of an image that this engine holds; `<missing>` otherwise. */
  readonly id: string
  /** RFC 3339. */
  readonly createdAt: string
  readonly createdBy: string
  readonly sizeBytes: number
  readonly comment: string
  readonly tags: readonly string[]
}

/** References that were cut, and digests of what really went. */
export interface RemovedImage {
  readonly untagged: readonly string[]
  readonly deleted: readonly string[]
}

export interface TransferOptions {
  readonly onProgress?: (progress: PullProgress) => void
  readonly signal: AbortSignal
}

export interface PushOptions extends TransferOptions {
  readonly credentials?: RegistryCredentials
}

export interface PushedImage {
  readonly digest: string
  /** Of its manifest. Absent: the engine did not say. */
  readonly manifestBytes?: number
}

export interface ImportOptions extends TransferOptions {
  /** Absent: the image has no name. */
  readonly reference?: string
  readonly message?: string
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[]
  readonly platform?: string
}

export interface LoadedImages {
  readonly references: readonly string[]
  /** Of those without a name. */
  readonly ids: readonly string[]
}

export interface DiskUsage {
  /** Bytes of all layers, each counted once. */
  readonly layersBytes: number
  readonly images: readonly {
    readonly id: string
    readonly sizeBytes: number
    /** Of layers that other images have too; -1: not known. */
    readonly sharedBytes: number
    readonly containers: number
  }[]
  readonly containers: readonly {
    readonly id: string
    readonly name: string
    readonly image: string
    readonly state: string
    /** What it has written. */
    readonly writtenBytes: number
    readonly createdAt: string
  }[]
  /** -1: not known. */
  readonly volumes: readonly {
    readonly name: string
    readonly sizeBytes: number
    readonly containers: number
    readonly labels: Readonly<Record<string, string>>
    readonly createdAt: string
  }[]
  readonly buildCache: readonly {
    readonly id: string
    readonly type: string
    readonly description: string
    readonly sizeBytes: number
    readonly inUse: boolean
    readonly shared: boolean
    readonly createdAt: string
    /** Absent: never. */
    readonly lastUsedAt?: string
  }[]
}

export interface EngineImages {
  /**
   * Resolves when the image is there; layers already present are not fetched again. Rejects with the signal's reason, and
   * with RegistryUnavailable when nothing comes for minutes.
   */
  pullImage(reference: string, options: PullOptions): Promise<PulledImage>
  tagImage(image: string, reference: string): Promise<void>
  /** All of them, also those that only others are made of; `parent` tells. */
  listAllImages(): Promise<readonly ListedImage[]>
  /** By reference, digest, or any beginning of an id that fits one image only; undefined when there is none. */
  imageDetails(image: string): Promise<ImageDetails | undefined>
  /** In the engine's own words; undefined when there is none. */
  rawImage(image: string): Promise<unknown>
  /** The newest first. NotFound when there is no such image. */
  imageHistory(image: string): Promise<readonly ImageHistoryEntry[]>
  /**
   * By a reference: that name goes, and the image with its last one. By id: InUse when it has names of several
   * repositories, unless `force`. InUse for what a container uses, as Docker has it; also when images are made of it.
   * NotFound when there is no such image.
   */
  removeImage(image: string, options: { readonly force: boolean }): Promise<RemovedImage>
  /** Resolves with its digest in the registry (`sha256:...`). ImageNotFound when no image has that name here. */
  pushImage(reference: string, options: PushOptions): Promise<PushedImage>
  /** References, or ids, which lose their names in it. NotFound when there is no such image. */
  saveImages(images: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** From what saveImages gives, which may be compressed. Layers that the engine has may be missing in it. */
  loadImages(archive: AsyncIterable<Uint8Array>, options: TransferOptions): Promise<LoadedImages>
  /** From a tar archive, which may be compressed. */
  importImage(archive: AsyncIterable<Uint8Array>, options: ImportOptions): Promise<{ readonly image: string }>
  /** Slow where much is stored: the engine adds up what every container and volume holds. */
  diskUsage(signal: AbortSignal): Promise<DiskUsage>
  /** Only what no build uses; resolves with the bytes that this gave back. */
  pruneBuildCache(options: { readonly olderThanMs: number; readonly keepBytes: number }): Promise<number>
}

/** One image of the list. */
export interface ListedImage {
  readonly id: string
  readonly references: readonly string[]
  readonly digests: readonly string[]
  readonly parent: string
  readonly labels: Readonly<Record<string, string>>
  readonly sizeBytes: number
  readonly createdAt: string
}
