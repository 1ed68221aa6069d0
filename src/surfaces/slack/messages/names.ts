// How people and revisions are written. A name pings nobody; a mention does, in a post or a reply (an edit never does).
import type { Actor } from '../../../core/deploy.ts'
import { code, cut, escaped, type Mrkdwn, md, nothing, oneLine } from '../blocks/mrkdwn.ts'

/** `@ana`, without a ping; those who come from elsewhere by their name alone. */
export function nameOf(actor: Pick<Actor, 'id' | 'name'>): Mrkdwn {
  const isPerson = actor.id.startsWith('slack:') && !/^(here|channel|everyone)$/i.test(actor.name)
  return md`${isPerson ? '@' : ''}${cut(actor.name, 80)}`
}

/** For the renderer's option `mention`: people of Slack by their id, which pings them; others by name. */
export function slackMention(actor: Actor): string {
  const [, user] = /^slack:([UW][A-Z0-9]{2,})$/.exec(actor.id) ?? []
  return user ? `<@${user}>` : escaped(oneLine(actor.name))
}

/** Names in a row: `@ben`, `@ben and @cho`, `@ben, @cho and 2 more`. */
export function namesOf(actors: readonly Pick<Actor, 'id' | 'name'>[]): Mrkdwn {
  const names = actors.slice(0, 4).map(nameOf)
  const [first, second] = names
  if (!first) return nothing
  if (actors.length === 1 || !second) return first
  if (actors.length === 2) return md`${first} and ${second}`
  const more = actors.length - names.length
  const all = { mrkdwn: names.map(name => name.mrkdwn).join(', ') }
  return more > 0 ? md`${all} and ${more} more` : all
}

/** A commit by its first ten characters, as people know it; others as they are. */
export const shortRevision = (revision: string): string =>
  /^[0-9a-f]{40,64}$/.test(revision) ? revision.slice(0, 10) : revision

/** A revision in code letters; a long one is cut where it stands beside others. */
export const revisionOf = (revision: string): Mrkdwn => code(shortRevision(revision), 60)

/** A moment to come: `14:30 UTC`, with its day where that is another one. Never "in 5 min": messages grow old. */
export function clockTime(at: number, now: number): string {
  const text = new Date(at).toISOString()
  const time = `${text.slice(11, 16)} UTC`
  return text.slice(0, 10) === new Date(now).toISOString().slice(0, 10)
    ? time
    : `${text.slice(0, 10)} ${time}`
}
