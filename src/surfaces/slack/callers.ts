// Who a Slack user is to gkube and what they may: gkube.yaml's people by member id or e-mail, the workspace's user
// groups, its full members. Never from the text of a message. Whatever Slack does not tell in time is not granted;
// the answers of Slack are remembered by the adapter (workspace.ts), for a minute.
import type { Person, SlackConfig } from '../../config.ts'
import type { Grant } from '../../core/environment.ts'
import type { Log } from '../../log.ts'
import type { Callers, SlackCaller } from './deps.ts'
import type { SlackPerson, Workspace } from './workspace.ts'

/** A command is answered within 2.5 s, and etcd wants the most of that. */
const withinMs = 900

export function slackCallers(options: {
  readonly workspace: Pick<Workspace, 'person' | 'groupMembers'>
  readonly people: readonly Person[]
  readonly config: Pick<SlackConfig, 'members' | 'groups'>
  readonly log: Log
  readonly withinMs?: number
}): Callers {
  const { workspace, people, config, log } = options
  const within = options.withinMs ?? withinMs

  /** Null: Slack does not tell. */
  async function known<T>(what: string, ask: Promise<T>): Promise<{ readonly value: T } | null> {
    const { promise: late, resolve } = Promise.withResolvers<null>()
    const timer = setTimeout(resolve, within, null)
    try {
      return await Promise.race([ask.then(value => ({ value })), late])
    } catch (error) {
      log.warn({ err: error, what }, 'Slack did not tell who somebody is')
      return null
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    async of(userId) {
      const [found, ...members] = await Promise.all([
        known(`user ${userId}`, workspace.person(userId)),
        ...config.groups.map(group => known(`group ${group.name}`, workspace.groupMembers(group.id))),
      ])
      const profile = found?.value ?? null
      const person = personOf(people, userId, profile)
      // Somebody who left, or whom the workspace does not know, has no say, whatever gkube.yaml still has.
      const gone = found !== null && (profile === null || profile.deleted)
      const grants: Grant[] = gone
        ? []
        : [
            ...(person?.grants ?? []),
            ...(isMember(profile) ? config.members : []),
            ...config.groups.flatMap((group, i) =>
              members[i]?.value.includes(userId) && isOurs(profile) ? group.grants : [],
            ),
          ]
      const unknown = config.groups.filter((_, i) => members[i] === null).map(group => `@${group.name}`)
      const caller: SlackCaller = {
        actor: {
          id: `slack:${userId}`,
          name: person?.name ?? profile?.name ?? userId,
          via: 'slack',
          ...(person && !gone ? { person: person.id } : {}),
        },
        grants,
        unsure: unsure(found === null, unknown),
        ...(person && !gone ? { person: person.id } : {}),
      }
      return caller
    },
  }
}

/** The entry in gkube.yaml: by member id, else by e-mail, which only our own workspace vouches for. */
function personOf(people: readonly Person[], userId: string, profile: SlackPerson | null): Person | null {
  const named = people.find(person => person.slack === userId)
  if (named) return named
  if (!profile?.email || profile.foreign || profile.bot || profile.deleted) return null
  const email = profile.email.toLowerCase()
  return people.find(person => person.slack === null && person.email?.toLowerCase() === email) ?? null
}

/** Not as long as Slack does not tell who it is. */
const isOurs = (profile: SlackPerson | null): boolean =>
  profile !== null && !profile.foreign && !profile.deleted && !profile.bot

const isMember = (profile: SlackPerson | null): boolean =>
  profile !== null && isOurs(profile) && !profile.guest

function unsure(noProfile: boolean, groups: readonly string[]): string | null {
  if (!noProfile && groups.length === 0) return null
  const what = noProfile ? 'who you are' : `who is in ${groups.join(', ')}`
  return `Slack does not tell ${what} just now, so only what you may without that holds. Try again in a minute.`
}
