/**
 * Which part of the server takes over a connection that is to speak something else than HTTP/1.1: the first route
 * whose path fits. Tunnels of nodes (tunnel.ts), streams of Containers (containerstreams.ts) and of Pods are routes.
 */
import { noUpgrade, type OnUpgrade } from '../door/listen.ts'

export interface UpgradeRoute {
  /** Of the whole path, still percent-encoded. */
  readonly path: RegExp
  readonly take: OnUpgrade
}

/** Throws NotFound for a path of nobody. */
export function routeUpgrades(routes: readonly UpgradeRoute[]): OnUpgrade {
  return (upgrade) => {
    const route = routes.find(({ path }) => path.test(upgrade.request.path))
    if (route === undefined) throw noUpgrade()
    return route.take(upgrade)
  }
}
