/** The objects that the tests of the API write. */

export const containers = '/apis/cove.run/v1/namespaces/default/containers'
export const configMaps = '/api/v1/namespaces/default/configmaps'
export const secrets = '/api/v1/namespaces/default/secrets'

export function container(name: string, spec: object = {}, metadata: object = {}) {
  return {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name, ...metadata },
    spec: { image: 'registry.example/web:1', ...spec },
  }
}

export function configMap(name: string, data: object = {}, metadata: object = {}) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data }
}

export function namespace(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
}
