/** Well-formed objects that fuzzing begins with, and the words of their language. */

export const richContainer = {
  apiVersion: 'cove.run/v1',
  kind: 'Container',
  metadata: {
    name: 'web',
    namespace: 'default',
    labels: { app: 'web' },
    annotations: { note: 'x' },
    finalizers: ['a.b/c'],
  },
  spec: {
    image: 'nginx:1.27',
    command: ['sh', '-c', 'sleep 1'],
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ],
    ports: [{ containerPort: 80, hostPort: 8080 }],
    mounts: [{ volume: 'data', mountPath: '/data' }],
    networks: [{ name: 'front', aliases: ['www'] }],
    resources: { limits: { memory: '64Mi' } },
  },
}

export const richConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', namespace: 'default', labels: { app: 'web' } },
  data: { a: '1', 'b.txt': 'two\n' },
}

export const jsonWords: readonly string[] = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  'null',
  'true',
  '{}',
  '[]',
  '"__proto__":',
  '"constructor":{"prototype":{"x":1}},',
  '"metadata":',
  '"spec":',
  '"name":',
  '"labels":',
  '"env":',
  '"ports":',
  '"finalizers":',
  '\\u005f\\u005fproto\\u005f\\u005f',
  '\\ud800',
  '1e999',
  '-1',
]
