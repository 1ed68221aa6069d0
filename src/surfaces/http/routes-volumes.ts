// Routes about storage: where it lies, how full it is, and its deletion, for which its name is typed. What lies on a
// pool is core/volumes/.
import { z } from 'zod'
import { label } from '../../core/units.ts'
import { deleteVolumeInput, volumesInput } from '../../core/volumes/verbs.ts'
import { storageRow } from './answers.ts'
import { json, type Route, route } from './route.ts'

const tag = 'volumes'

export const volumeRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/volumes',
    id: 'volumes',
    summary:
      'Storage of apps: where it lies, how full it is, how it is; of everything, an app, an environment',
    tag,
    query: volumesInput,
    answer: z.object({ volumes: z.array(storageRow) }),
    handle: async (core, { caller, query }) => json({ volumes: await core.volumes(caller, query) }),
  }),
  route({
    method: 'DELETE',
    path: '/v1/volumes/{environment}/{app}/{storage}',
    id: 'deleteVolume',
    summary: 'Delete storage on a pool with all it holds, where its app does not run any more',
    tag,
    params: z.strictObject({ environment: label(30), app: label(40), storage: label() }),
    query: deleteVolumeInput.pick({ typed: true }),
    answer: z.object({
      deleted: z.string(),
      left: z.array(z.string()).describe('what stays on the servers and is deleted there by hand'),
    }),
    handle: async (core, { caller, params, query }) =>
      json(await core.deleteVolume(caller, { ...params, ...query })),
  }),
]
