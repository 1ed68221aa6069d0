// The choices of the deploy dialog, searched here while a person types: apps, environments, revisions. Slack takes 100
// of 75 characters each and waits 3 s. What cannot be read is no choice: submitting is judged by the core anyway.
import type { App, BlockSuggestion } from '@slack/bolt'
import type { PlainTextOption } from '@slack/types'
import { may } from '../../core/policy.ts'
import { suggest } from '../../core/suggest.ts'
import { revision as revisionSchema } from '../../core/units.ts'
import { optionIds } from './action-ids.ts'
import { choicesOf, type Found } from './actions/revisions.ts'
import type { SlackCaller, SlackDeps } from './deps.ts'
import { type Choice, choiceOf } from './views/deploy-dialog.ts'
import { fitsOption, type Option, option, viewLimits } from './views/parts.ts'

type Asked = { readonly caller: SlackCaller; readonly query: string; readonly choice: Choice }

export function registerOptions(bolt: App, deps: SlackDeps): void {
  const searches: Readonly<Record<keyof typeof optionIds, (at: Asked) => Promise<readonly Option[]>>> = {
    app: at => apps(deps, at),
    environment: at => environments(deps, at),
    revision: at => revisions(deps, at),
  }
  for (const [name, search] of Object.entries(searches)) {
    bolt.options<'block_suggestion'>(
      optionIds[name as keyof typeof optionIds],
      deps.guarded(`search ${name}`, async ({ body, ack }, call) => {
        const query = body.value.trim().slice(0, 200)
        const found = await search({ caller: await call.caller(), query, choice: chosenIn(body) })
        await ack({ options: optionsOf(found) })
      }),
    )
  }
}

/** Within Slack's limits: a value that does not fit is left out, for a part of a name is another name. */
export const optionsOf = (found: readonly Option[]): PlainTextOption[] =>
  found
    .filter(({ value }) => fitsOption(value))
    .slice(0, viewLimits.options)
    .map(option)

const chosenIn = ({ view }: BlockSuggestion): Choice =>
  view?.state ? choiceOf(view) : { app: null, environment: null, revision: null }

async function apps(deps: SlackDeps, { caller, query }: Asked): Promise<Option[]> {
  const names = (await deps.names.seenBy(caller)) ?? []
  // Those they may deploy first: others are there to be seen that they exist.
  const able = (app: string) => may(caller, 'deploy', { app })
  return matching(names, query)
    .toSorted((a, b) => Number(able(b)) - Number(able(a)))
    .map(app => ({ value: app, ...(able(app) ? {} : { about: 'you may not deploy it' }) }))
}

async function environments(deps: SlackDeps, { caller, query, choice }: Asked): Promise<Option[]> {
  const place = choice.app ? { app: choice.app } : {}
  const known = choice.app ? await choicesOf(deps, caller, choice.app).catch(() => null) : null
  const listed = [...deps.environments.values()].filter(
    environment =>
      may(caller, 'view', { ...place, environment: { ...environment, protected: false } }) &&
      (!known?.environments || known.environments.includes(environment.name)),
  )
  const all = listed.map(environment => ({
    environment,
    able: may(caller, 'deploy', { ...place, environment }),
  }))
  const found = new Map(all.map(one => [one.environment.name, one]))
  const runs = known?.revisions ?? []
  return matching([...found.keys()], query)
    .flatMap(name => found.get(name) ?? [])
    .toSorted((a, b) => Number(b.able) - Number(a.able))
    .map(({ environment: { name, approvals }, able }) => ({
      value: name,
      about: [
        able ? null : 'you may not deploy there',
        ...runs.filter(one => one.runsIn.includes(name)).map(one => `runs ${one.revision}`),
        approvals.required > 0
          ? `needs ${approvals.required} approval${approvals.required > 1 ? 's' : ''}`
          : null,
      ]
        .filter(Boolean)
        .join(' · '),
    }))
}

async function revisions(deps: SlackDeps, { caller, query, choice }: Asked): Promise<Option[]> {
  const known = choice.app ? await choicesOf(deps, caller, choice.app) : null
  return revisionChoices(known?.revisions ?? [], query)
}

/** What was typed is the first choice, whether it is known or not: a revision may be new. */
export function revisionChoices(known: readonly Found[], query: string): Option[] {
  const found = matching(
    known.map(one => one.revision),
    query,
    { near: false },
  )
  const about = new Map(known.map(one => [one.revision, one.about]))
  const typed = revisionSchema.safeParse(query).success
    ? [{ value: query, about: about.get(query) ?? 'as typed' }]
    : []
  return [
    ...typed,
    ...found
      .filter(revision => typed.length === 0 || revision !== query)
      .map(revision => ({ value: revision, about: about.get(revision) ?? '' })),
  ]
}

/** Names that begin with it first, then those that hold it, in their order; else the one that was nearly typed. */
export function matching(names: readonly string[], query: string, { near = true } = {}): string[] {
  const typed = query.toLowerCase()
  if (typed === '') return [...names]
  const begins = names.filter(name => name.toLowerCase().startsWith(typed))
  const holds = names.filter(name => !begins.includes(name) && name.toLowerCase().includes(typed))
  if (begins.length + holds.length > 0 || !near) return [...begins, ...holds]
  const meant = suggest(typed, names)
  return meant === null ? [] : [meant]
}
