// Every controller the stand-in cluster plays, one factory each.
import { cronJobs } from './cronjob.ts'
import { daemonSets } from './daemonset.ts'
import { deployments } from './deployment.ts'
import type { Context, Controller } from './engine.ts'
import { garbageCollector } from './garbage.ts'
import { jobs } from './job.ts'
import { kubelet } from './kubelet.ts'
import { namespaces } from './namespaces.ts'
import { autoscalers, budgets, quotas } from './policies.ts'
import { replicaSets, replicationControllers } from './replicaset.ts'
import { scheduler } from './scheduler.ts'
import { services } from './services.ts'
import { statefulSets } from './statefulset.ts'
import { claims, volumes } from './volumes.ts'

const factories = [
  ...[namespaces, garbageCollector, quotas],
  ...[scheduler, kubelet, claims, volumes, services],
  ...[replicaSets, replicationControllers, deployments, statefulSets, daemonSets, jobs, cronJobs],
  ...[autoscalers, budgets],
]

export const allControllers = (context: Context): Controller[] => factories.map(factory => factory(context))
