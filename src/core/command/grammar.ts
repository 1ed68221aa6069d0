// The commands that people type: one entry each, with what it takes, what it does and how it is written. fill.ts
// parses by this table and help.ts is generated from it, so neither can know what the other does not.

export const commandNames = [
  'deploy', 'status', 'list', 'pods', 'logs', 'history', 'plan', 'promote', 'rollback', 'scale', 'restart', 'cancel',
  'delete', 'volumes', 'delete-volume', 'build', 'builds', 'stop-build', 'subscribe', 'unsubscribe', 'subscriptions', 'lock', 'unlock', 'freeze',
  'unfreeze', 'locks', 'approvals', 'whoami', 'doctor', 'help',
] as const // biome-ignore format: a list
export type CommandName = (typeof commandNames)[number]

/** What a command can take. Each is one value, or true where it is there (`previous`, `everything`). */
export type Slot =
  | 'app'
  | 'revision'
  | 'environment'
  | 'from'
  | 'to'
  | 'replicas'
  | 'pod'
  | 'previous'
  | 'tail'
  | 'id'
  | 'everything'
  | 'duration'
  | 'reason'
  | 'command'
  | 'job'
  | 'number'
  | 'parameters'
  | 'events'
  | 'storage'

export type Entry = {
  /** In the order of the usage line. `must`: refused without it. */
  readonly takes: Readonly<Partial<Record<Slot, 'must' | 'may'>>>
  /** `free`: all words after the target. `marked`: only after `because`. */
  readonly reason?: 'free' | 'marked'
  /** The word before the environment in usage and examples. */
  readonly place?: 'to' | 'in'
  readonly summary: string
  /** Without the slash command before them. */
  readonly examples: readonly [string, ...string[]]
  readonly aliases?: readonly string[]
  readonly group: 'ship' | 'look' | 'run' | 'build' | 'hold' | 'me'
}

export const groups: Readonly<Record<Entry['group'], string>> = {
  ship: 'Ship',
  look: 'Look',
  run: 'Run',
  build: 'Jenkins',
  hold: 'Hold back',
  me: 'You and gkube',
}

export const grammar: Readonly<Record<CommandName, Entry>> = {
  deploy: {
    takes: { app: 'may', revision: 'may', environment: 'may', reason: 'may' },
    reason: 'marked',
    place: 'to',
    summary: 'Deploy a revision of an app. What is left out is asked for in a dialog, with a preview.',
    examples: ['deploy web 1.4.2 to production', 'deploy web'],
    aliases: ['ship'],
    group: 'ship',
  },
  promote: {
    takes: { app: 'must', from: 'must', to: 'must', reason: 'may' },
    reason: 'marked',
    summary: 'Deploy what runs in one environment to another: the same revision and image.',
    examples: ['promote web from staging to production'],
    group: 'ship',
  },
  rollback: {
    takes: { app: 'must', revision: 'may', environment: 'must', reason: 'may' },
    reason: 'marked',
    summary: 'Go back to the last good revision, or to the one named.',
    examples: ['rollback web in production', 'rollback web to 1.4.1 in production'],
    aliases: ['roll-back', 'undo'],
    group: 'ship',
  },
  plan: {
    takes: { app: 'may', revision: 'may', environment: 'may' },
    place: 'to',
    summary: 'Show what a deploy would change, and change nothing.',
    examples: ['plan web 1.4.2 to production'],
    aliases: ['preview'],
    group: 'ship',
  },
  cancel: {
    takes: { app: 'may', environment: 'may', id: 'may', reason: 'may' },
    reason: 'free',
    summary: 'Cancel the deploy of an app that runs or waits.',
    examples: ['cancel web in production wrong revision'],
    aliases: ['abort', 'stop'],
    group: 'ship',
  },
  status: {
    takes: { app: 'may', environment: 'may' },
    summary: 'What runs where, and how it does.',
    examples: ['status', 'status web', 'status in production'],
    aliases: ['st'],
    group: 'look',
  },
  list: {
    takes: {},
    summary: 'All apps, and where they run.',
    examples: ['list'],
    aliases: ['ls', 'apps'],
    group: 'look',
  },
  pods: {
    takes: { app: 'must', environment: 'must' },
    summary: 'The pods of an app.',
    examples: ['pods web in production'],
    aliases: ['ps'],
    group: 'look',
  },
  logs: {
    takes: { app: 'must', environment: 'must', pod: 'may', previous: 'may', tail: 'may' },
    summary: 'The last log lines of an app.',
    examples: ['logs web in production', 'logs web in production --tail 200 --previous'],
    aliases: ['log'],
    group: 'look',
  },
  history: {
    takes: { app: 'must', environment: 'may' },
    summary: 'What was deployed, when, by whom, and how it ended.',
    examples: ['history web', 'history web in production'],
    group: 'look',
  },
  approvals: {
    takes: {},
    summary: 'What waits for approval.',
    examples: ['approvals'],
    aliases: ['pending'],
    group: 'look',
  },
  scale: {
    takes: { app: 'must', replicas: 'may', environment: 'must', reason: 'may' },
    reason: 'marked',
    summary: 'Run that many pods. Without a number a dialog asks for it.',
    examples: ['scale web to 3 in staging', 'scale web 3 staging'],
    group: 'run',
  },
  restart: {
    takes: { app: 'must', environment: 'must', reason: 'may' },
    reason: 'marked',
    summary: 'Replace the pods one after the other, with the same revision.',
    examples: ['restart web in production'],
    group: 'run',
  },
  delete: {
    takes: { app: 'must', environment: 'must' },
    summary: 'Remove an app from an environment. Asks again before; data is kept unless its volume is named.',
    examples: ['delete web in staging'],
    aliases: ['remove'],
    group: 'run',
  },
  volumes: {
    takes: { app: 'may', environment: 'may' },
    summary: 'The storage of apps: where it lies, how full it is, how it is.',
    examples: ['volumes', 'volumes web', 'volumes in production'],
    aliases: ['storage', 'volume'],
    group: 'look',
  },
  'delete-volume': {
    takes: { storage: 'must', app: 'must', environment: 'must' },
    summary:
      'Delete storage with all it holds, where its app does not run any more. Asks for its name first.',
    examples: ['delete-volume data of web in staging', 'delete-volume staging/web/data'],
    aliases: ['remove-volume', 'delete-storage'],
    group: 'run',
  },
  build: {
    takes: { job: 'may', parameters: 'may' },
    summary: 'Start a build of a Jenkins job. Without a job a dialog asks for it and for its parameters.',
    examples: ['build shop/web', 'build shop/web BRANCH=main NOTE="a new start"'],
    group: 'build',
  },
  builds: {
    takes: { job: 'may', app: 'may' },
    summary: 'The last builds: all, of an app, or of a job.',
    examples: ['builds', 'builds web', 'builds shop/web'],
    group: 'build',
  },
  'stop-build': {
    takes: { job: 'must', number: 'may', reason: 'may' },
    reason: 'marked',
    summary: 'Stop a build, or take it out of the queue. Without a number: the one that runs or waits.',
    examples: ['stop-build shop/web 214', 'stop-build shop/web'],
    aliases: ['cancel-build', 'abort-build'],
    group: 'build',
  },
  subscribe: {
    takes: { app: 'may', events: 'may' },
    summary:
      'Tell this channel of the builds of an app, or of all apps: failures and back to normal, unless said otherwise.',
    examples: ['subscribe web', 'subscribe web failures', 'subscribe all'],
    aliases: ['follow'],
    group: 'build',
  },
  unsubscribe: {
    takes: { app: 'may' },
    summary: 'No longer tell this channel of the builds of an app, or of all apps.',
    examples: ['unsubscribe web'],
    aliases: ['unfollow'],
    group: 'build',
  },
  subscriptions: {
    takes: {},
    summary: 'Whose builds this channel is told of.',
    examples: ['subscriptions'],
    group: 'build',
  },
  lock: {
    takes: { app: 'may', environment: 'may', everything: 'may', duration: 'may', reason: 'may' },
    reason: 'free',
    summary:
      'Hold back deploys of an app or an environment, for 24 h unless said otherwise. Without a reason a dialog asks for it.',
    examples: ['lock web in production for 2h looking for a leak', 'lock production 30m moving the database'],
    group: 'hold',
  },
  unlock: {
    takes: { app: 'may', environment: 'may', everything: 'may', reason: 'may' },
    reason: 'free',
    summary: 'Take a lock away.',
    examples: ['unlock web in production', 'unlock production'],
    group: 'hold',
  },
  freeze: {
    takes: { environment: 'must', duration: 'may', reason: 'may' },
    reason: 'free',
    summary: 'Freeze an environment, for 24 h unless said otherwise. Named people may override.',
    examples: ['freeze production for 3d end-of-year freeze'],
    group: 'hold',
  },
  unfreeze: {
    takes: { environment: 'must', reason: 'may' },
    reason: 'free',
    summary: 'End a freeze.',
    examples: ['unfreeze production'],
    aliases: ['thaw'],
    group: 'hold',
  },
  locks: {
    takes: {},
    summary: 'What is locked or frozen now.',
    examples: ['locks'],
    aliases: ['freezes'],
    group: 'hold',
  },
  whoami: {
    takes: {},
    summary: 'What you may do, and why.',
    examples: ['whoami'],
    aliases: ['who-am-i'],
    group: 'me',
  },
  doctor: {
    takes: {},
    summary: 'Check all that gkube needs, and say how to mend it.',
    examples: ['doctor'],
    group: 'me',
  },
  help: {
    takes: { command: 'may' },
    summary: 'This, or more about one command.',
    examples: ['help', 'help deploy'],
    aliases: ['?'],
    group: 'me',
  },
}

/** The command behind a word or one of its aliases. */
export function commandNamed(word: string): CommandName | null {
  return byWord.get(word.toLowerCase()) ?? null
}
const byWord = new Map<string, CommandName>(
  commandNames.flatMap(name => [name, ...(grammar[name].aliases ?? [])].map(word => [word, name] as const)),
)

/** Options by which each value can be given, whatever its words: `--env production`. */
export const optionSlots: Readonly<Record<string, Slot>> = {
  app: 'app',
  env: 'environment',
  environment: 'environment',
  revision: 'revision',
  rev: 'revision',
  from: 'from',
  to: 'to',
  replicas: 'replicas',
  pod: 'pod',
  previous: 'previous',
  tail: 'tail',
  id: 'id',
  all: 'everything',
  for: 'duration',
  reason: 'reason',
  command: 'command',
  job: 'job',
  number: 'number',
  events: 'events',
  storage: 'storage',
}
export const flags: ReadonlySet<Slot> = new Set(['previous', 'everything'])
