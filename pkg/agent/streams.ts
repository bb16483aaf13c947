/**
 * What the server asks of a node: the agent's own small API, reached in process or through the tunnel it dialled.
 * Below `/containers/NAMESPACE/NAME`: `GET log`, `POST exec`, `POST attach`, `POST portforward?port=N`,
 * `GET|PUT archive?path=P`, and the looks and acts of looks.ts; of the node as a whole `GET /containers` and
 * `GET /stats` (nodelooks.ts), `GET /builds/NAMESPACE/NAME/log` (builds/buildlook.ts), its images and `GET /disk` (images/nodeimages.ts), and what registries say
 * (images/registrylooks.ts). What fails before streams begin is answered as a Status with its code; what fails after that
 * is the last frame (apimachinery/frames.ts).
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler } from '#pkg/apimachinery/transport.ts'
import { engineName } from '#pkg/apis/wellknown.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { adoptable } from './adoptable.ts'
import { getArchive, putArchive } from './archive.ts'
import { type BuildLogOf, lookAtBuildLog } from './builds/buildlook.ts'
import { attach, exec } from './exec.ts'
import * as transfers from './images/imagetransfers.ts'
import { imageLayers } from './images/layers.ts'
import { nodeDisk } from './images/nodedisk.ts'
import * as images from './images/nodeimages.ts'
import * as registries from './images/registrylooks.ts'
import { log } from './logs.ts'
import * as looks from './looks.ts'
import type { ReadMachine } from './machine.ts'
import {
  type LastUsedOf,
  listContainers,
  machineBook,
  type NodeCredentials,
  type NodeTarget,
  nodeStats,
} from './nodelooks.ts'
import type { OwnerOf } from './owned.ts'
import { connectTo, portForward } from './portforward.ts'
import type { AskPrune } from './prune/ask.ts'
import { nodePrune } from './prune/nodeprune.ts'
import type { Connect, Target } from './target.ts'
import { UsageBook } from './usage.ts'

export interface StreamsOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly nodeName: string
  /** The object that a container stands for: a stranger may have the name of one. */
  readonly ownerOf: OwnerOf
  /** How a port of a container is reached; absent: over TCP. */
  readonly connect?: Connect
  /** How the machine itself is looked at; absent: the engine is on another one. */
  readonly machine?: ReadMachine
  /** Absent: nobody counts. */
  readonly lastUsedOf?: LastUsedOf
  /** Absent: nothing is built. */
  readonly buildLog?: BuildLogOf
  /** Absent: nobody prunes. */
  readonly prune?: AskPrune
  /** Absent: registries are asked with what comes along, or anonymously. */
  readonly credentialsOf?: NodeCredentials
  /** Absent: the node asks no registries itself. */
  readonly registry?: RegistryClient
}

type Door = (target: Target) => Promise<ApiResponse>

const buildLogPath = /^\/builds\/([^/]+)\/([^/]+)\/log$/
const containerPath = /^\/containers\/([^/]+)\/([^/]+)\/([a-z]+)$/

const doors: Readonly<Record<string, Door>> = {
  'GET log': log,
  'POST exec': exec,
  'POST attach': attach,
  'POST portforward': portForward,
  'GET archive': getArchive,
  'PUT archive': putArchive,
  'GET top': looks.top,
  'GET stats': looks.stats,
  'GET changes': looks.changes,
  'GET ports': looks.ports,
  'GET inspect': looks.inspect,
  'GET export': looks.exportFiles,
  'POST commit': looks.commit,
  'POST kill': looks.kill,
}

const nodeDoors: Readonly<Record<string, (target: NodeTarget) => Promise<ApiResponse>>> = {
  'GET /containers': listContainers,
  'GET /stats': nodeStats,
  'GET /adoptable': adoptable,
  'GET /images': images.listImages,
  'DELETE /images': images.removeImage,
  'GET /images/details': images.imageDetails,
  'GET /images/raw': images.rawImage,
  'GET /images/history': images.imageHistory,
  'POST /images/tag': images.tagImage,
  'POST /images/pull': transfers.pullImage,
  'POST /images/push': transfers.pushImage,
  'GET /images/save': transfers.saveImages,
  'GET /images/layers': imageLayers,
  'POST /images/load': transfers.loadImages,
  'POST /images/import': transfers.importImage,
  'GET /disk': nodeDisk,
  'POST /prune': nodePrune,
  'GET /registry/tags': registries.registryTags,
  'GET /registry/catalog': registries.registryCatalog,
  'GET /registry/search': registries.registrySearch,
  'GET /registry/login': registries.registryLogin,
}

export function streamsHandler(options: StreamsOptions): Handler {
  const { machine, ...others } = options
  const serving: Serving = {
    ...others,
    usage: new UsageBook(options.engine, options.clock),
    ...(machine !== undefined && { machine: machineBook(machine, options.clock) }),
  }
  return async (request) => {
    try {
      return await route(request, serving)
    } catch (error) {
      const known = error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error))
      const headers = { 'content-type': 'application/json' }
      return { status: known.code, headers, body: JSON.stringify(known.toStatus()) }
    }
  }
}

interface Serving extends Omit<StreamsOptions, 'machine'> {
  readonly usage: UsageBook
  readonly machine?: UsageBook
}

async function route(request: ApiRequest, options: Serving): Promise<ApiResponse> {
  const nodeDoor = nodeDoors[`${request.method} ${request.path}`]
  if (nodeDoor !== undefined) return nodeDoor({ request, ...options })
  const build = buildLogPath.exec(request.path)
  if (build !== null && request.method === 'GET') return await getBuildLog(build, request, options)
  const match = containerPath.exec(request.path)
  const door = match === null ? undefined : doors[`${request.method} ${match[3]}`]
  if (match === null || door === undefined)
    throw new StatusError('NotFound', `this node has nothing at ${request.method} ${request.path}`)
  const [namespace, name] = [decodeSegment(match[1] ?? ''), decodeSegment(match[2] ?? '')]
  const { engine, clock, ownerOf, connect = connectTo, usage } = options
  const observed = await engine.inspectContainer(engineName({ namespace, name }))
  const owner = observed && ownerOf(observed)
  // What replaces a container of one namespace may for a moment have the name of another namespace's.
  if (observed === undefined || owner?.namespace !== namespace || owner.name !== name)
    throw badRequest(`container "${name}" was not made yet: see \`cove describe container ${name}\``)
  return door({ request, engine, clock, name, observed, status: owner.status, connect, usage })
}

async function getBuildLog(
  [, namespace = '', name = '']: RegExpExecArray,
  request: ApiRequest,
  { buildLog }: Serving,
): Promise<ApiResponse> {
  const build = { namespace: decodeSegment(namespace), name: decodeSegment(name) }
  return await lookAtBuildLog(build, request, buildLog)
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    throw badRequest(`"${segment}" is no part of a path: ${messageOf(error)}`)
  }
}
