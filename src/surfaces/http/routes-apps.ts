// Routes about apps: what teams register. Each is its schemas and one call of the core.
import { z } from 'zod'
import { appSchema, appSpecSchema } from '../../core/app.ts'
import { artifactInput } from '../../core/artifacts/verbs.ts'
import { planInput } from '../../core/core.ts'
import { label, revision } from '../../core/units.ts'
import { workloadSchema } from '../../core/workload.ts'
import { UserError } from '../../errors.ts'
import { kubeObject, plan, recordedArtifact } from './answers.ts'
import { flag, json, nothing, type Route, route } from './route.ts'

const params = z.strictObject({ app: label(40) })
const tag = 'apps'

export const appRoutes: readonly Route[] = [
  route({
    method: 'PUT',
    path: '/v1/apps/{app}',
    id: 'applyApp',
    summary: 'Register an app or change it; dryRun only validates',
    tag,
    params,
    query: z.strictObject({ dryRun: flag }),
    body: appSchema,
    yaml: true,
    answer: z.object({ app: appSchema, outcome: z.enum(['created', 'changed', 'unchanged']) }),
    handle: async (core, { caller, params, query, body }) => {
      if (body.app !== params.app)
        throw new UserError('bad_input', `The address says ${params.app}, the body says ${body.app}.`)
      return json(await core.applyApp(caller, body, query))
    },
  }),
  route({
    method: 'GET',
    path: '/v1/apps',
    id: 'listApps',
    summary: 'All apps with their workloads',
    tag,
    answer: z.object({ apps: z.array(z.object({ app: appSchema, workloads: z.array(workloadSchema) })) }),
    handle: async (core, { caller }) => json({ apps: await core.listApps(caller) }),
  }),
  route({
    method: 'GET',
    path: '/v1/apps/{app}',
    id: 'showApp',
    summary: 'One app as registered',
    tag,
    params,
    answer: appSchema,
    handle: async (core, { caller, params }) => json(await core.showApp(caller, params.app)),
  }),
  route({
    method: 'DELETE',
    path: '/v1/apps/{app}',
    id: 'deleteApp',
    summary: 'Forget an app that has no workload',
    tag,
    params,
    answer: null,
    handle: async (core, { caller, params }) => {
      await core.deleteApp(caller, params.app)
      return nothing
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/apps/{app}/artifacts/{revision}',
    id: 'recordArtifact',
    summary: 'An uploaded artifact is this revision of the app from now on',
    tag,
    params: params.extend({ revision }),
    body: artifactInput.pick({ sha256: true }),
    answer: recordedArtifact,
    handle: async (core, { caller, params, body }) =>
      json(await core.recordArtifact(caller, { ...params, ...body })),
  }),
  route({
    method: 'POST',
    path: '/v1/render',
    id: 'renderApp',
    summary: 'An app with its environment merged in, and the Kubernetes objects of it',
    tag,
    body: planInput,
    answer: z.object({ spec: appSpecSchema, objects: z.array(kubeObject) }),
    handle: async (core, { caller, body }) => json(await core.renderApp(caller, body)),
  }),
  route({
    method: 'POST',
    path: '/v1/plan',
    id: 'plan',
    summary: 'What a deploy would change, by a server-side dry run; nothing is written',
    tag: 'deploys',
    body: planInput,
    answer: plan,
    handle: async (core, { caller, body }) => json(await core.plan(caller, body)),
  }),
  route({
    method: 'GET',
    path: '/v1/diff/{app}',
    id: 'diff',
    summary: 'How an app differs between two environments',
    tag,
    params,
    query: z.strictObject({ from: label(30), to: label(30) }),
    answer: z.object({ diff: z.string(), changes: z.array(z.string()) }),
    handle: async (core, { caller, params, query }) => json(await core.diff(caller, { ...params, ...query })),
  }),
]
