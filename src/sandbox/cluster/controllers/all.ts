// Every controller the stand-in cluster plays, one factory each.
import { deployments } from './deployment.ts'
import type { Context, Controller } from './engine.ts'
import { garbageCollector } from './garbage.ts'
import { kubelet } from './kubelet.ts'
import { namespaces } from './namespaces.ts'
import { replicaSets, replicationControllers } from './replicaset.ts'
import { scheduler } from './scheduler.ts'
import { services } from './services.ts'

const factories = [
  namespaces,
  garbageCollector,
  scheduler,
  kubelet,
  replicaSets,
  replicationControllers,
  deployments,
  services,
]

export const allControllers = (context: Context): Controller[] => factories.map(factory => factory(context))
