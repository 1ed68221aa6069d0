// `gkube plan`: what a deploy would do, asked of the server by dry runs, nothing written. Also `app render` and
// `diff`, which only render.
import { UserError } from '../../errors.ts'
import { parseApp, specFor } from '../app-environment.ts'
import { unifiedDiff } from '../changes/diff.ts'
import { changes as describeChanges } from '../changes.ts'
import { type KubeObject, nameOf } from '../cluster.ts'
import type { Core, Plan, PlanInput } from '../core.ts'
import type { StepName } from '../deploy.ts'
import { namespaceOf } from '../environment.ts'
import { Refusal } from '../freezing.ts'
import { render } from '../objects.ts'
import { hookTitles } from '../plan.ts'
import { demand } from '../policy.ts'
import { type Prepared, workOut } from '../prepare.ts'
import { preview } from '../preview.ts'
import { newId } from '../records.ts'
import { stepTitle } from '../words.ts'
import { type Frozen, noOverrides } from '../workload.ts'
import { appNamed } from './apps.ts'
import { clusterOf, type Deps, environmentNamed } from './deps.ts'
import type { DriftDeps } from './drift.ts'
import { workloadNamed } from './look.ts'

export function planning(deps: Deps): Pick<Core, 'plan' | 'renderApp' | 'diff'> {
  return {
    async plan(caller, input) {
      const environment = environmentNamed(deps, input.environment)
      const asked = input.spec?.app ?? input.app
      // A plan shows what runs there now, so it asks for the right to see that, and before it says anything.
      const shown = { ...environment, protected: false }
      demand(caller, 'view', { app: asked, environment: shown }, deps.people)
      const { name, spec } = await specOf(deps, input)
      const current = await runningRevision(deps, environment.name, name)
      const revision = input.revision ?? current
      if (!revision)
        throw new UserError(
          'bad_input',
          `${name} has never run in ${environment.name}. Say which revision: gkube plan ${name} 1.4.2 --environment ${environment.name}`,
        )
      const now = deps.clock.now()
      const wanted = {
        id: newId(now),
        kind: 'deploy' as const,
        app: name,
        environment: environment.name,
        revision,
        requestedAt: now,
        params: {
          replicas: null,
          claims: [],
          spec: null,
          replace: false,
          force: false,
          ...(input.artifact ? { artifact: { sha256: input.artifact, url: null } } : {}),
        },
      }
      const lookups = {
        ...deps,
        environment: (key: string) => deps.environments.get(key),
        cluster: (key: string) => deps.clusters.get(key),
      }
      try {
        return await planOf(lookups, { app: name, revision }, await workOut(lookups, wanted, spec))
      } catch (error) {
        if (error instanceof Refusal)
          throw new UserError('bad_input', error.message, { details: { reason: error.cause.reason } })
        throw error
      }
    },
    async renderApp(caller, input) {
      const environment = environmentNamed(deps, input.environment)
      const { name, spec } = await specOf(deps, input)
      demand(caller, 'view', { app: name }, deps.people)
      const revision = input.revision ?? (await runningRevision(deps, environment.name, name)) ?? '0'
      const sha256 = input.artifact ?? spec.code?.sha256
      const frozen: Frozen = {
        schema: 1,
        app: name,
        environment: environment.name,
        revision,
        image: (spec.image ?? '').replaceAll('{revision}', revision),
        digest: null,
        spec,
        ...(sha256 ? { artifact: { sha256, url: null } } : {}),
      }
      const { minor } = await clusterOf(deps, environment)
        .server()
        .catch(() => ({ minor: undefined }))
      const place = {
        name: environment.name,
        cluster: environment.cluster,
        namespace: namespaceOf(environment, name),
        createNamespace: environment.createNamespace,
      }
      return {
        spec,
        objects: render({ frozen, environment: place, overrides: noOverrides, serverMinor: minor }),
      }
    },
    async diff(caller, { app, from, to }) {
      const [a, b] = await Promise.all([drawn(deps, caller, app, from), drawn(deps, caller, app, to)])
      const diff = b.map(object =>
        unifiedDiff(a.find(other => nameOf(other) === nameOf(object)) ?? null, object),
      )
      const gone = a
        .filter(object => !b.some(other => nameOf(other) === nameOf(object)))
        .map(object => unifiedDiff(object, null))
      return { diff: [...diff, ...gone].filter(Boolean).join('\n'), changes: describeChanges(a, b) }
    },
  }
}

/** What runs there, rendered as if both were in one place: only what differs is left. */
async function drawn(
  deps: Deps,
  caller: Parameters<Core['diff']>[0],
  app: string,
  environment: string,
): Promise<KubeObject[]> {
  const { workload } = await workloadNamed(deps, caller, { app, environment })
  const frozen = await deps.specs.get(workload.spec)
  if (!frozen)
    throw new UserError(
      'conflict',
      `The snapshot of ${app} in ${environment} is not kept any more. Deploy it again first.`,
    )
  const place = { name: 'here', cluster: 'here', namespace: 'here', createNamespace: false }
  // Each environment has volumes of its own.
  const { bound: _, ...rest } = frozen
  return render({
    frozen: { ...rest, environment: 'here' },
    environment: place,
    overrides: workload.overrides,
  })
}

async function specOf(deps: Deps, input: PlanInput): Promise<{ name: string; spec: Frozen['spec'] }> {
  if (input.spec) {
    const app = parseApp(input.spec)
    return { name: app.app, spec: specFor(app, input.environment) }
  }
  if (!input.app) throw new UserError('bad_input', 'Name an app: gkube plan web 1.4.2 --environment staging')
  const { value } = await appNamed(deps, input.app)
  return { name: value.app, spec: specFor(value, input.environment) }
}

async function runningRevision(deps: Deps, environment: string, app: string): Promise<string | null> {
  const entry = await deps.kv.get(deps.keys.workload(environment, app))
  return entry ? ((JSON.parse(entry.value) as { revision?: string }).revision ?? null) : null
}

/** `before (migrate)`: the steps with the names that the app has for its hooks. */
function titled({ steps, frozen }: Prepared): string[] {
  const titles: Partial<Record<StepName, string>> = hookTitles(frozen.spec)
  return steps.map(name => stepTitle({ name, title: titles[name] }))
}

async function planOf(
  deps: DriftDeps,
  { app, revision }: { app: string; revision: string },
  worked: Prepared,
): Promise<Plan> {
  const { environment, frozen, workload } = worked
  const { objects, changes, notes } = await preview(deps, worked)
  return {
    app,
    environment: environment.name,
    kind: worked.plan === 'create' ? 'create' : 'update',
    from: workload?.value.revision ?? null,
    revision,
    image: frozen.image,
    digest: frozen.digest,
    ...(frozen.artifact ? { artifact: frozen.artifact } : {}),
    steps: titled(worked),
    objects,
    changes,
    notes,
    refusals: worked.refusals,
  }
}
