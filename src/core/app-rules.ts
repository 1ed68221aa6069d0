// Rules across the keys of a merged spec: what a kind needs and what excludes what. app-rules/ holds them by
// concern; each is one small function, spec in, problems with their paths out. app.ts checks every key alone.
import type { AppSpec } from './app.ts'
import { onlyManifests } from './app-rules/manifests.ts'
import { canServe, ingressRules, portRules, probeRules } from './app-rules/network.ts'
import {
  imageRules,
  labelRules,
  nameRules,
  resourceRules,
  scaleRules,
  securityRules,
} from './app-rules/pod.ts'
import { when } from './app-rules/say.ts'
import { scheduleRules, timeRules } from './app-rules/schedule.ts'
import { codeRules, fileRules, storageRules } from './app-rules/storage.ts'
import type { Problem } from './problems.ts'

type Rule = (spec: AppSpec) => Problem[]

const ownRules: readonly Rule[] = [
  kindRules,
  imageRules,
  portRules,
  probeRules,
  storageRules,
  codeRules,
  scaleRules,
  timeRules,
  ingressRules,
  nameRules,
  resourceRules,
  labelRules,
  securityRules,
  scheduleRules,
  fileRules,
]
const manifestRules: readonly Rule[] = [onlyManifests, timeRules, labelRules]

/** Every problem of a spec whose keys are each valid alone. */
export const ruleProblems = (spec: AppSpec): Problem[] =>
  (spec.kind === 'manifests' ? manifestRules : ownRules).flatMap(rule => rule(spec))

function kindRules(spec: AppSpec): Problem[] {
  const { kind } = spec
  const isCron = kind === 'cron'
  const serving = canServe(kind)
  return [
    ...when(
      isCron && !spec.schedule,
      ['schedule'],
      'is missing; kind cron needs one, for example { cron: "0 3 * * *" }',
    ),
    ...when(!isCron && spec.schedule, ['schedule'], `is for kind cron; this app is a ${kind}`),
    ...when(isCron && spec.replicas > 1, ['replicas'], 'a cron app runs once per schedule; 0 suspends it'),
    ...when(!serving && spec.ports.length > 0, ['ports'], `a ${kind} app serves nothing`),
    ...when(!serving && spec.ingress.length > 0, ['ingress'], `a ${kind} app serves nothing`),
    ...when(!serving && spec.autoscale, ['autoscale'], 'is for kinds service, worker and stateful'),
    ...when(!serving && spec.disruption, ['disruption'], 'is for kinds service, worker and stateful'),
    ...when(spec.manifests.length > 0, ['manifests'], `is for kind manifests; this app is a ${kind}`),
    ...when(
      kind === 'stateful' && spec.rollout.strategy === 'recreate',
      ['rollout', 'strategy'],
      'a stateful app replaces its pods one by one; recreate is for service and worker',
    ),
    ...when(kind !== 'stateful' && spec.rollout.ordered, ['rollout', 'ordered'], 'is for kind stateful'),
    ...when(
      isCron && spec.sidecars.some(sidecar => !sidecar.native),
      ['sidecars'],
      'a sidecar of a cron app must be native, otherwise the Job never ends',
    ),
  ]
}
