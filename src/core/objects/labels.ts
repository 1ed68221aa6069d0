// Labels, annotations and names of everything gkube writes. One rule for all: `gkube.dev/app` finds an app's
// objects and pods of every kind (given manifests keep their own name and instance labels), selectors are
// name + instance only, and nothing about a single deploy is ever on a pod template.
import { ownAnnotations, sha256 } from '../hash.ts'

export const managedBy = 'app.kubernetes.io/managed-by'
const nameLabel = 'app.kubernetes.io/name'
const instanceLabel = 'app.kubernetes.io/instance'
export const versionLabel = 'app.kubernetes.io/version'
/** On every object and pod of an app, given manifests too: watches, look-ups and ownership go by these two. */
export const appLabel = `${ownAnnotations}app`
export const environmentLabel = `${ownAnnotations}environment`
/** On Jobs only: whose Job it is, checked when its name is already taken. */
export const deployLabel = `${ownAnnotations}deploy`

/** On Jobs and their pods: which step's. */
export const componentLabel = 'app.kubernetes.io/component'

const deployAnnotation = `${ownAnnotations}deploy`
export const epochAnnotation = `${ownAnnotations}epoch`
const revisionAnnotation = `${ownAnnotations}revision`
export const restartedAnnotation = 'kubectl.kubernetes.io/restartedAt'

type Whose = { readonly app: string; readonly environment: string }

/** A name of at most `most` characters; a longer one is cut and told apart by a hash of the whole. */
export function shorten(name: string, most = 63): string {
  if (name.length <= most) return name
  const head = name.slice(0, most - 9).replace(/[-.]+$/, '')
  return `${head}-${sha256(name).slice(0, 8)}`
}

/** What Services, Deployments and budgets select by: never a version (selectors are immutable). */
export const selectorLabels = ({ app }: Pick<Whose, 'app'>): Record<string, string> => ({
  [nameLabel]: app,
  [instanceLabel]: app,
})

/** Whose it is: on everything, whatever else its labels say. */
export const ownership = ({ app, environment }: Whose): Record<string, string> => ({
  [managedBy]: 'gkube',
  [appLabel]: app,
  [environmentLabel]: environment,
})

/** Labels of objects that do not change with the revision: Service, Ingress, claims and others. */
export const ownLabels = (whose: Whose): Record<string, string> => ({
  ...selectorLabels(whose),
  ...ownership(whose),
})

/**
 * Labels of the workload and its pods. The version is only here: on a Service it would cost one more write at
 * every deploy and say nothing true about the Service.
 */
export function workloadLabels(whose: Whose, revision: string): Record<string, string> {
  const version = revision.slice(0, 63).replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
  return { ...ownLabels(whose), ...(version ? { [versionLabel]: version } : {}) }
}

/**
 * Labels of a Job's pods: found by the app, but never selected by its Service or Deployment. No app's name has
 * a dot, so this instance is nobody else's.
 */
export const jobLabels = (whose: Whose, step: string, deploy: string): Record<string, string> => ({
  ...ownLabels(whose),
  [instanceLabel]: `${whose.app}.${step}`,
  [componentLabel]: step,
  [deployLabel]: deploy,
})

/** Which deploy wrote an object: on its metadata, left out of its hash. */
export const deployAnnotations = (
  deploy: { readonly id: string; readonly epoch: number },
  revision: string,
): Record<string, string> => ({
  [deployAnnotation]: deploy.id,
  [epochAnnotation]: String(deploy.epoch),
  [revisionAnnotation]: revision,
})

/** The immutable ConfigMap that holds an app's files, named by what is in it. */
export const filesName = (app: string, data: Readonly<Record<string, string>>): string =>
  `${app}-${sha256(data).slice(0, 10)}`

/** `app-step-deploy-attempt`; only the app's part is cut, for the deploy's id already makes the name unique. */
export function jobName(app: string, step: string, deploy: string, attempt: number): string {
  const tail = `-${step}-${deploy.toLowerCase()}-${attempt}`
  return `${app.slice(0, 63 - tail.length).replace(/-+$/, '')}${tail}`
}
