// A request to the remote API as routes see it, and what several of them need: a bean by `tree`, only POST, permission.
import { Answer, json } from './answer.ts'
import type { Beans } from './beans.ts'
import type { Queue } from './queue.ts'
import type { Running } from './running.ts'
import type { Job, State } from './state.ts'
import { parseTree, shown } from './tree.ts'

export type Ask = {
  readonly method: string
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  /** Of the query and the form, in their order. */
  readonly given: (name: string) => readonly string[]
  readonly user: string
}

export type RouteDeps = {
  readonly state: State
  readonly queue: Queue
  readonly running: Running
  readonly beans: Beans
  readonly root: () => string
  /** What Locations of queue items begin with. */
  readonly locationBase: () => string
  readonly stageView: boolean
}

export const is = (segments: readonly string[], path: string): boolean => segments.join('/') === path

/** Shows a bean by `tree` and `depth`. */
export function bean(ask: Ask, value: unknown): Answer {
  const tree = ask.query.get('tree')
  try {
    return json(shown(value, tree ? parseTree(tree) : null, Number(ask.query.get('depth') ?? 0)))
  } catch (error) {
    throw new Answer(400, String(error))
  }
}

export function onlyPost({ method }: Ask): void {
  if (method !== 'POST') throw new Answer(405, 'Form post required', { allow: 'POST' })
}

/** 403 where the job is only to be looked at. */
export function mayChange({ seed }: Job, { user }: Ask, permission: string): void {
  if (!seed.readOnly) return
  const words = `${user} is missing the ${permission} permission`
  throw new Answer(403, words, { 'x-error': words })
}
