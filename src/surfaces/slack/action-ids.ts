// The ids by which a click finds its handler: messages and views are built with them, actions.ts registers them.
// A button's value is a deploy's id (or `environment/app`, or `environment`) and nothing else: all else is read again.

/** On messages of a deploy, App Home and answers. `value` says what each carries. */
export const actionIds = {
  /** deploy id */
  approve: 'gkube:approve',
  approveWith: 'gkube:approve_with',
  deny: 'gkube:deny',
  override: 'gkube:override',
  cancel: 'gkube:cancel',
  retry: 'gkube:retry',
  rollback: 'gkube:rollback',
  logs: 'gkube:logs',
  restart: 'gkube:restart',
  diff: 'gkube:diff',
  /** `environment/app`, `environment/` or `/`: what is locked */
  unlock: 'gkube:unlock',
  /** environment */
  unfreeze: 'gkube:unfreeze',
  /** `environment/app` or empty: opens the deploy dialog with that filled in */
  deploy: 'gkube:deploy',
  /** `environment/app/storage`: opens the dialog that asks for its name */
  deleteVolume: 'gkube:delete_volume',
  /** nothing: App Home again */
  refresh: 'gkube:refresh',
  /** a link: acked, nothing more */
  link: 'gkube:link',
} as const

export const viewIds = {
  deploy: 'gkube:deploy',
  approve: 'gkube:approve',
  deny: 'gkube:deny',
  override: 'gkube:override',
  cancel: 'gkube:cancel',
  delete: 'gkube:delete',
  scale: 'gkube:scale',
  deleteVolume: 'gkube:delete_volume',
  lock: 'gkube:lock',
} as const

/** Selects whose options the server searches. */
export const optionIds = {
  app: 'gkube:app',
  environment: 'gkube:environment',
  revision: 'gkube:revision',
} as const

/** On messages of a build. A build's id is gkube's own (core/builds/build.ts), never Jenkins' number. */
export const buildActionIds = {
  /** `build id/input id`: goes on at an input that asks for nothing */
  proceed: 'gkube:build_proceed',
  /** `build id/input id`: the input asks for parameters; opens a dialog, which answers it */
  input: 'gkube:build_input',
  /** `build id/input id` */
  abort: 'gkube:build_abort',
  /** build id: also takes it out of the queue */
  stop: 'gkube:build_stop',
  /** build id: answers only the one who clicked */
  log: 'gkube:build_log',
  /** `build id/environment/app`: one of the build's offers */
  deploy: 'gkube:build_deploy',
  /** build id: the build dialog with its job and parameters filled in */
  again: 'gkube:build_again',
} as const

export const buildViewIds = {
  build: 'gkube:build',
  input: 'gkube:build_input',
} as const

export const buildOptionIds = {
  job: 'gkube:job',
  /** A parameter with more choices than Slack shows at once. */
  choice: 'gkube:build_choice',
} as const
