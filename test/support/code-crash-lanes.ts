// Where test/slow/code-crash.test.ts kills gkube: between every two steps of the code path, and between each effect of a
// step and its record (names of src/fail-points.ts); dealt to lanes, each with a gkube and an app of its own.

/** A step that is a Job: it was made and is not known to be; it ended and nobody knows; its result is written, it is there. */
const ofJob = (step: string): string[] => [
  `after:cluster:create:Job:${step}`,
  `before:etcd:hook-result:${step}`,
  `after:etcd:hook-result:${step}`,
]
/** What was there is done, and nobody knows; it is known, and nothing of the next has begun. */
const to = (name: string): string[] => [`before:etcd:${name}`, `after:etcd:${name}`]

/** In the order they come. */
const create: readonly string[] = [
  'after:etcd:claim',
  'after:pool:ensure',
  'after:cluster:create:PersistentVolume',
  ...to('step:environment'),
  'after:cluster:create:Namespace',
  ...to('step:publish'),
  'after:cluster:create:PersistentVolumeClaim',
  'after:cluster:create:Job:publish',
  'after:etcd:ticket',
  'after:cluster:create:Secret',
  'after:etcd:ticket-used',
  'before:etcd:hook-result:publish',
  'after:etcd:hook-result:publish',
  ...to('step:init'),
  ...ofJob('init'),
  ...to('step:before'),
  ...ofJob('before'),
  ...to('step:apply'),
  'after:cluster:create:Deployment',
  ...to('step:rollout'),
  ...to('step:after'),
  ...ofJob('after'),
  ...to('step:record'),
  ...to('ended:succeeded'),
]
const update: readonly string[] = [
  'after:etcd:claim',
  ...ofJob('publish'),
  ...to('step:before'),
  ...ofJob('before'),
  ...to('step:apply'),
  'after:cluster:apply:Deployment',
  ...to('step:rollout'),
  ...to('step:after'),
  ...ofJob('after'),
  ...to('step:record'),
  ...to('ended:succeeded'),
]
/** From the smoke test that fails on. */
const back: readonly string[] = [
  'after:etcd:hook-result:after',
  ...to('rollback'),
  'after:cluster:apply:Deployment',
  ...to('step:recover'),
  ...to('ended:rolled_back'),
]
/** Reloading: what differs from the above. */
const createLive: readonly string[] = ['after:cluster:create:Job:publish', ...to('step:init')]
const updateLive: readonly string[] = [
  ...to('step:rollout'),
  ...to('step:activate'),
  ...ofJob('activate'),
  'after:cluster:exec',
  ...to('step:after'),
]
const backLive: readonly string[] = [
  ...to('rollback'),
  'after:cluster:apply:Deployment',
  ...to('step:reactivate'),
  ...ofJob('reactivate'),
  'after:cluster:exec',
  ...to('step:recover'),
  ...to('ended:rolled_back'),
]

export type Lane = {
  readonly name: string
  readonly activate: 'rollout' | 'reload'
  readonly create: readonly string[]
  readonly update: readonly string[]
  readonly back: readonly string[]
}

/** Dealt in turn, so that two kills of one deploy are some steps apart; the first gets fewer, for it goes the way back. */
const deal = (places: readonly string[], lane: number): string[] =>
  places.filter((_place, index) => [1, 2, 3, 0, 1, 2, 3][index % 7] === lane)

const roll = { activate: 'rollout', back: [] as readonly string[] } as const
const live = { activate: 'reload' } as const
/** Only when they are armed one after the other is a write of the way back told from one of the way forth. */
export const lanes: readonly Lane[] = [
  { ...roll, name: 'roll-1', create: deal(create, 0), update: deal(update, 0), back },
  { ...roll, name: 'roll-2', create: deal(create, 1), update: deal(update, 1) },
  { ...roll, name: 'roll-3', create: deal(create, 2), update: deal(update, 2) },
  { ...roll, name: 'roll-4', create: deal(create, 3), update: deal(update, 3) },
  { ...live, name: 'live-1', create: createLive, update: updateLive, back: [] },
  { ...live, name: 'live-2', create: [], update: [], back: backLive },
]

export const allPlaces: readonly string[] = [create, update, back, createLive, updateLive, backLive].flat()

/** Each of its scripts writes down that it ran, on the volume; the smoke test of revision 3 fails. */
export const appOf = ({ name, activate }: Lane) => {
  const note = (what: string) => `echo ${what} $GKUBE_REVISION $GKUBE_DEPLOY_ID >>/srv/site/ran`
  const reloads = activate === 'reload'
  return {
    app: 'site',
    image: 'registry.example.com/nginx:1',
    ports: [{ name: 'http', port: 8080, service: 80 }],
    replicas: 2,
    storage: [{ name: 'code', size: '1Gi', mount: '/srv/site', access: 'RWX' }],
    code: {
      mount: '/srv/www',
      update: ['sh', '-ec', `${note('publish')}; exec sh -eu "$GKUBE_UPDATE_SCRIPT"`],
      ...(reloads ? { activate, reload: ['nginx', '-s', 'reload'] } : {}),
    },
    security: { runAsUser: 101, runAsGroup: 101 },
    hooks: {
      init: { command: ['sh', '-ec', note('init')] },
      before: { command: ['sh', '-ec', note('before')] },
      after: { command: ['sh', '-ec', `${note('after')}; test "$GKUBE_REVISION" != 3`] },
    },
    probes: { readiness: { http: { path: '/index.html' }, period: '1s' } },
    rollout: { progress: '1m', stable: '0s', drain: '2s' },
    environments: { [name]: {} },
  }
}
