// Pure: may this caller do this here? Default deny; the reason says who may. Grants come from a token or from the
// people in gkube.yaml; where an environment is protected, `*` does not cover it: it must be named.
import { UserError } from '../errors.ts'
import type { Caller } from './core.ts'
import type { Environment, Grant, Role } from './environment.ts'

export const actions = [
  'view',
  'deploy',
  'cancel',
  'run',
  'build',
  'answer_input',
  'subscribe',
  'approve',
  'lock',
  'freeze',
  'delete',
  'delete_pod',
  'exec',
  'release',
  'adopt',
  'apply_app',
  'delete_app',
  'audit',
  'tokens',
] as const
export type Action = (typeof actions)[number]

const deployer: readonly Action[] = [
  'view',
  'deploy',
  'cancel',
  'run',
  'apply_app',
  'build',
  'answer_input',
  'subscribe',
]
const operator: readonly Action[] = [
  ...deployer,
  'lock',
  'freeze',
  'delete',
  'delete_pod',
  'exec',
  'release',
  'adopt',
  'delete_app',
  'audit',
]

/** What each role may do. An approver only looks and decides. */
export const roleActions: Readonly<Record<Role, readonly Action[]>> = {
  viewer: ['view'],
  approver: ['view', 'approve', 'answer_input'],
  deployer,
  operator,
  admin: actions,
}

export type Place = {
  /** `*`: all of them at once. Left out: any that the grant names will do. */
  readonly app?: string
  /** `all`: all of them at once. Left out: any that the grant names will do. */
  readonly environment?: Pick<Environment, 'name' | 'protected'> | 'all'
}

/** What concerns every app everywhere at once, such as tokens. */
export const everywhere: Place = { app: '*', environment: 'all' }

const words: Readonly<Record<Action, string>> = {
  view: 'see',
  deploy: 'deploy',
  cancel: 'cancel deploys of',
  run: 'run commands of',
  build: 'start builds of',
  answer_input: 'answer the pipelines of',
  subscribe: 'subscribe channels to',
  approve: 'approve',
  lock: 'lock',
  freeze: 'freeze',
  delete: 'delete',
  delete_pod: 'delete pods of',
  exec: 'open a shell in',
  release: 'release',
  adopt: 'adopt workloads for',
  apply_app: 'register',
  delete_app: 'unregister',
  audit: 'read the audit of',
  tokens: 'manage tokens for',
}

/** Whether one grant covers an action at a place. */
export function covers(grant: Grant, action: Action, place: Place): boolean {
  if (!roleActions[grant.role].includes(action)) return false
  if (place.app !== undefined && !matches(grant.apps, place.app)) return false
  const { environment } = place
  if (!environment) return true
  if (environment === 'all') return grant.environments.includes('*')
  if (grant.environments.includes(environment.name)) return true
  return grant.environments.includes('*') && (!environment.protected || grant.role === 'admin')
}

const matches = (names: readonly string[], name: string): boolean =>
  names.includes('*') || names.includes(name)

/** True when any grant of the caller covers it. */
export const may = (caller: Caller, action: Action, place: Place): boolean =>
  caller.grants.some(grant => covers(grant, action, place))

/** Someone the operators named in gkube.yaml, or a user group of Slack that they named there. */
export type Person = {
  /** The key in `people`; left out for a group. */
  readonly id?: string
  readonly name: string
  /** The user id in Jenkins, where it is not the same as `id`. */
  readonly jenkins?: string
  readonly grants: readonly Grant[]
}

/** Longer lists of who may are cut. */
const mostNames = 10

/** Who may, as they are called: `@ben`, `@release-managers`. */
export const able = (action: Action, place: Place, people: readonly Person[]): string[] =>
  people
    .filter(person => person.grants.some(grant => covers(grant, action, place)))
    .map(person => `@${person.name}`)

/** Throws UserError `forbidden`, which names who may. */
export function demand(caller: Caller, action: Action, place: Place, people: readonly Person[]): void {
  if (may(caller, action, place)) return
  const { app, environment } = place
  const name = environment === 'all' ? 'all environments' : environment?.name
  const where = name ? ` in ${name}` : ''
  const what = app ? ` ${app === '*' ? 'all apps' : app}` : ''
  const names = able(action, place, people)
  const more = names.length > mostNames ? ` and ${names.length - mostNames} more` : ''
  const roles = Object.entries(roleActions).flatMap(([role, list]) => (list.includes(action) ? [role] : []))
  const who =
    names.length > 0
      ? `Who may: ${names.slice(0, mostNames).join(', ')}${more}.`
      : `Ask an admin for the role ${roles[0]}${where}.`
  throw new UserError('forbidden', `${caller.actor.name} may not ${words[action]}${what}${where}. ${who}`, {
    details: { action, app, environment: name, roles },
  })
}
