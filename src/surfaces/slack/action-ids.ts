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
  lock: 'gkube:lock',
} as const

/** Selects whose options the server searches. */
export const optionIds = {
  app: 'gkube:app',
  environment: 'gkube:environment',
  revision: 'gkube:revision',
} as const
