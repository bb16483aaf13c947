/**
 * What a change of each field of a Container does to the container that runs. Whatever is not named here, a field
 * added later included, makes a new container: losing what the container wrote outside of volumes may be a surprise,
 * running with an old setting is worse. A test in pkg/agent holds this table against what the agent really does.
 */
import type { ChangeClass } from './kind.ts'

const classes: Readonly<Record<string, ChangeClass>> = {
  'spec.resources.limits': 'in place',
  'spec.networks': 'in place',
  'spec.state': 'in place',
  'spec.imagePullPolicy': 'nothing',
  'spec.imagePullSecrets': 'nothing',
  'spec.terminationGracePeriodSeconds': 'nothing',
  'spec.restartPolicy': 'nothing',
  'spec.dependsOn': 'nothing',
  'spec.nodeSelector': 'nothing',
  'spec.tolerations': 'nothing',
  'spec.ttlSecondsAfterFinished': 'nothing',
  'spec.resources.requests': 'nothing',
  'spec.revisionHistoryLimit': 'nothing',
  'spec.update': 'nothing',
  'spec.healthcheck.onUnhealthy': 'nothing',
}

export function containerChange(path: string): ChangeClass {
  if (!path.startsWith('spec.')) return 'nothing'
  const isIn = (field: string) =>
    path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`)
  return Object.entries(classes).find(([field]) => isIn(field))?.[1] ?? 'recreate'
}
