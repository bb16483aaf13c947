/**
 * A Compose project as manifests: Volumes, Networks, ConfigMaps, Secrets, Builds and Containers, and notes on all that has no
 * counterpart. Pure: contents of files are given.
 */
import { ownValue, sameJson } from '#pkg/apimachinery/hash.ts'
import { nearestObjectName } from '#pkg/apis/wellknown.ts'
import { CliError } from '../errors.ts'
import { builtName, type ServiceBuild, serviceBuild } from './build.ts'
import { replicasOf } from './deploy.ts'
import { environment, type Sources } from './environment.ts'
import { fileMounts } from './files.ts'
import { volumeMounts } from './mounts.ts'
import { networkManifests, networksOf } from './networks.ts'
import {
  type At,
  below,
  type Fields,
  integer,
  list,
  map,
  merge,
  type Note,
  pairs,
  text,
  texts,
} from './reading.ts'
import { turns } from './service.ts'

export interface ProjectInput extends Sources {
  /** The Compose file, variables replaced. */
  readonly compose: unknown
  /** The name of the project when the file says none. */
  readonly name: string
  readonly profiles: ReadonlySet<string>
}

export interface Converted {
  readonly manifests: readonly Fields[]
  readonly notes: readonly Note[]
}

const api = 'cove.run/v1'
const mostReplicas = 1000
const top = ['name', 'version', 'services', 'volumes', 'networks', 'configs', 'secrets']

export function convert(input: ProjectInput): Converted {
  return new Project(input).convert()
}

class Project {
  readonly #input: ProjectInput
  readonly #notes: Note[] = []
  readonly #root: At = { where: '', note: (text) => this.#notes.push({ where: '', text }) }
  readonly #compose: Readonly<Record<string, unknown>>
  readonly #services: Readonly<Record<string, unknown>>
  readonly #name: string
  readonly #volumes = new Set<string>()
  readonly #files = new Map<string, Fields>()
  /** By the name of the image: those of several services that are built alike are one. */
  readonly #builds = new Map<string, ServiceBuild>()

  constructor(input: ProjectInput) {
    this.#input = input
    this.#compose = map(input.compose, below(this.#root, 'the file', []))
    this.#services = map(this.#compose['services'], this.#at('services'))
    this.#name = nearestObjectName(
      this.#compose['name'] === undefined ? input.name : text(this.#compose['name'], this.#at('name')),
    )
  }

  convert(): Converted {
    for (const key of Object.keys(this.#compose))
      if (!top.includes(key) && !key.startsWith('x-')) this.#at(key).note('has no counterpart')
    const active = Object.entries(this.#services).filter(([name, service]) => this.#isActive(name, service))
    if (active.length === 0) throw new CliError('services: there is none to convert')
    for (const [name, service] of active) this.#build(name, map(service, this.#at('services', name)))
    const containers = active.flatMap(([name, service]) => this.#service(name, service))
    const networks = networkManifests(this.#compose['networks'], this.#at('networks'), {
      project: this.#name,
      notes: this.#notes,
      services: active.map(([, service]) => map(service, this.#root)),
    })
    const volumes = [...this.#volumes].map((volume) => this.#volume(volume))
    return {
      manifests: [...volumes, ...networks, ...this.#files.values(), ...this.#buildManifests(), ...containers],
      notes: this.#notes,
    }
  }

  #at(...path: readonly (string | number)[]): At {
    return path.reduce<At>((at, key) => below(at, key, this.#notes), this.#root)
  }

  #isActive(name: string, service: unknown): boolean {
    const { profiles } = map(service, this.#at('services', name))
    if (profiles === undefined) return true
    const wanted = texts(profiles, this.#at('services', name, 'profiles'))
    if (wanted.some((profile) => this.#input.profiles.has(profile))) return true
    this.#at('services', name).note(`left out: it needs --profile ${wanted.join(' or ')}`)
    return false
  }

  #sources() {
    return { ...this.#input, compose: this.#compose, project: this.#name, notes: this.#notes }
  }

  #build(name: string, service: Fields): void {
    const at = this.#at('services', name)
    const build = serviceBuild(name, service, at, this.#sources())
    if (build === undefined) return
    const other = this.#builds.get(build.image)
    if (other === undefined) this.#builds.set(build.image, build)
    else if (!sameJson(other.spec, build.spec))
      throw new CliError(
        `${at.where}: ${build.image} is built by service ${other.name} in another way: give it another name under image`,
      )
    for (const [key, object] of build.objects) this.#files.set(key, object)
  }

  #buildManifests(): Fields[] {
    return [...this.#builds.values()].map(({ name, spec }) => ({
      apiVersion: api,
      kind: 'Build',
      metadata: { name },
      spec,
    }))
  }

  /** Of a service that is built, and of one that runs what another one builds. */
  #imageOf(name: string, { image, build }: Fields): Fields {
    const named = image === undefined ? builtName(this.#name, name) : String(image)
    const [plain = ''] = build === undefined ? [named] : named.split('@')
    const made = this.#builds.get(plain)
    return made === undefined ? { image: named } : { imageFrom: { build: made.name } }
  }

  #service(name: string, value: unknown): Fields[] {
    const at = this.#at('services', name)
    const service = map(value, at)
    const spec = Object.entries(service).reduce<Fields>((fields, [key, member]) => {
      const turn = ownValue(turns, key)
      if (turn !== undefined) return merge(fields, turn(member, this.#at('services', name, key)))
      if (!key.startsWith('x-')) this.#at('services', name, key).note('has no counterpart')
      return fields
    }, {})
    const whole = this.#wholeSpec(name, service, spec)
    const names = this.#namesOf(name)
    this.#tellNames(name, service, whole, names)
    return names.map((each) => ({
      apiVersion: api,
      kind: 'Container',
      metadata: { name: each },
      spec: whole,
    }))
  }

  #wholeSpec(name: string, service: Fields, spec: Fields): Fields {
    const env = environment(service, this.#at('services', name), this.#notes, this.#input)
    const { mounts, volumes } = volumeMounts(service, name, this.#at('services', name, 'volumes'), {
      ...this.#input,
      volumeName: (volume) => this.#volumeName(volume),
    })
    for (const volume of volumes) this.#volumes.add(volume)
    const { mounts: files, objects } = fileMounts(service, this.#at('services', name), {
      ...this.#sources(),
    })
    for (const [key, object] of objects) this.#files.set(key, object)
    const dependsOn = this.#dependencies(name, service)
    const links = list(service['links'], this.#at('services', name, 'links')).map((line) => {
      const [container = '', alias] = String(line).split(':')
      return { container: nearestObjectName(container), ...(alias !== undefined && { alias }) }
    })
    const { image: _image, ...rest } = spec
    return {
      ...this.#imageOf(name, service),
      // Compose leaves what ended as it is.
      restartPolicy: 'Never',
      ...rest,
      ...(env.length > 0 && { env }),
      ...(mounts.length + files.length > 0 && { mounts: [...mounts, ...files] }),
      ...networksOf(service, this.#at('services', name), { project: this.#name, notes: this.#notes, name }),
      ...(dependsOn.length > 0 && { dependsOn }),
      ...(links.length > 0 && { links }),
    }
  }

  /** Of the Containers that a service becomes. */
  #namesOf(name: string): string[] {
    const service = map(ownValue(this.#services, name), this.#at('services', name))
    const one = nearestObjectName(text(service['container_name'] ?? name, this.#at('services', name)))
    const count = this.#countOf(name, service)
    if (count < 0 || count > mostReplicas)
      throw new CliError(`services.${name}: ${count} of it cannot be written out, ${mostReplicas} at most`)
    return count === 1 ? [one] : Array.from({ length: count }, (_, index) => `${one}-${index + 1}`)
  }

  #countOf(name: string, { scale, deploy }: Fields): number {
    return scale === undefined
      ? replicasOf(deploy, this.#at('services', name, 'deploy'))
      : integer(scale, this.#at('services', name, 'scale'))
  }

  #tellNames(name: string, service: Fields, spec: Fields, names: readonly string[]): void {
    const at = this.#at('services', name)
    const [only] = names
    if (names.length === 1 && only !== (service['container_name'] ?? name)) at.note(`is called ${only} here`)
    if (names.length === 1) return
    const fixed = JSON.stringify(spec['ports'] ?? []).includes('hostPort')
    at.note(
      fixed
        ? `${names.length} containers cannot share a host port: give each its own`
        : `becomes ${names.length} Containers`,
    )
  }

  #dependencies(name: string, service: Fields): Fields[] {
    const at = this.#at('services', name, 'depends_on')
    const value = service['depends_on']
    const conditions: Readonly<Record<string, string>> = {
      service_started: 'Started',
      service_healthy: 'Healthy',
      service_completed_successfully: 'Completed',
    }
    const entries = Array.isArray(value)
      ? value.map((one) => [text(one, at), {}] as const)
      : Object.entries(map(value, at))
    return entries.flatMap(([other, settings]) => {
      const { condition = 'service_started', restart, required } = map(settings, at)
      if (restart !== undefined) at.note(`${other}: restart has no counterpart`)
      if (ownValue(this.#services, other) === undefined || !this.#isWanted(other)) {
        if (required !== false) at.note(`${other} is not converted, so nothing waits for it`)
        return []
      }
      const wanted = conditions[text(condition, at)] ?? 'Started'
      return this.#namesOf(other).map((container) => ({
        container,
        ...(wanted !== 'Started' && { condition: wanted }),
      }))
    })
  }

  #isWanted(name: string): boolean {
    const { profiles } = map(ownValue(this.#services, name), this.#root)
    return profiles === undefined || texts(profiles, this.#root).some((one) => this.#input.profiles.has(one))
  }

  #volumeName(volume: string): string {
    const at = this.#at('volumes', volume)
    const { name } = map(map(this.#compose['volumes'], at)[volume], at)
    return nearestObjectName(name === undefined ? volume : text(name, at))
  }

  #volume(name: string): Fields {
    const volumes = map(this.#compose['volumes'], this.#at('volumes'))
    const declared = Object.entries(volumes).find(([key]) => this.#volumeName(key) === name)
    const at = this.#at('volumes', declared?.[0] ?? name)
    const { driver, driver_opts, labels, external, name: _name, ...rest } = map(declared?.[1], at)
    for (const key of Object.keys(rest)) at.note(`${key} has no counterpart`)
    const engine = external === true ? declared?.[0] : `${this.#name}_${declared?.[0]}`
    if (declared !== undefined)
      at.note(
        `is a new, empty Volume ${name}: the data in volume ${engine} of the engine stays where it is; \`cove adopt\` takes it over with its containers`,
      )
    return {
      apiVersion: api,
      kind: 'Volume',
      metadata: { name },
      spec: {
        ...(driver !== undefined && { driver: text(driver, at) }),
        ...(driver_opts !== undefined && { driverOpts: Object.fromEntries(pairs(driver_opts, at)) }),
        ...(labels !== undefined && { labels: Object.fromEntries(pairs(labels, at)) }),
      },
    }
  }
}
