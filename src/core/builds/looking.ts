// One look at one build in Jenkins: where it stands in the queue, what its run shows, and its last lines once it has
// failed. What Jenkins does not know for a minute is given up; what it does not answer for is said and tried again.
import { put } from '../records.ts'
import type { Build, BuildChange } from './build.ts'
import { consoleOf } from './console.ts'
import type { Desk, Item, More } from './desk.ts'
import { type BuildFacts, type Jenkins, JenkinsError } from './jenkins.ts'
import { mergeFacts, type Seen } from './merge.ts'
import { numbered } from './starting.ts'

/** How much of a console is read for its last lines. */
const tailBytes = 64 * 1024
/** So often what is nice to have of a build is asked for in vain. */
const mostUnread = 4

/** Looks once. Throws JenkinsError where it must be tried again. */
export async function look(desk: Desk, item: Item, jenkins: Jenkins): Promise<void> {
  const { number, queueId } = item.stored.value
  try {
    if (number !== null) await lookAtRun(desk, item, jenkins, number)
    else if (queueId !== null) await lookAtQueue(desk, item, jenkins, queueId)
    item.missingSince = null
  } catch (error) {
    if (!(error instanceof JenkinsError) || error.code !== 'not_found') throw error
    await missing(desk, item, error)
  }
}

async function lookAtQueue(desk: Desk, item: Item, jenkins: Jenkins, queueId: number): Promise<void> {
  const { writer, line } = desk
  const { job } = item.stored.value
  const facts = await line.ask(() => jenkins.queueItem(queueId))
  if (facts?.state === 'waiting') {
    await writer.change(item.id, build =>
      build.phase === 'queued' ? { ...build, note: facts.why.slice(0, 1000) } : null,
    )
    return
  }
  if (facts?.cancelled) {
    await writer.change(item.id, build => ({
      ...build,
      phase: 'cancelled',
      note: build.stop ? '' : 'It was taken out of the queue in Jenkins.',
    }))
    return
  }
  if (facts && facts.number !== null) return await numbered(desk, item, facts.number)
  // It is on its way; after five minutes the queue does not know it any more.
  if (facts) return
  const recent = await line.ask(() => jenkins.recent(job))
  const own = recent.find(one => one.queueId === queueId)
  if (own) return await numbered(desk, item, own.number)
  throw new JenkinsError(
    'not_found',
    'Jenkins does not know it any more, neither in its queue nor among the builds of its job.',
  )
}

async function lookAtRun(desk: Desk, item: Item, jenkins: Jenkins, number: number): Promise<void> {
  const { writer, line, deps } = desk
  const { job } = item.stored.value
  const facts = await line.ask(() => jenkins.build(job, number))
  const ended = !facts.building && facts.result !== null
  const stages = item.noStages ? undefined : await orNull(desk, item, () => jenkins.stages(job, number))
  item.noStages ||= stages === null
  const mayWait =
    item.noStages ||
    stages?.some(stage => stage.state === 'paused') ||
    item.stored.value.inputs.some(one => !one.over)
  const inputs = ended ? [] : mayWait ? await line.ask(() => jenkins.inputs(job, number)) : undefined
  const tests = ended ? await orNull(desk, item, () => jenkins.tests(job, number)) : undefined
  const seen: Seen = {
    facts,
    changes: await changesOf(desk, facts),
    startedBy: startedBy(desk, facts),
    ...(stages === undefined ? {} : { stages }),
    ...(inputs === undefined ? {} : { inputs }),
    ...(tests === undefined ? {} : { tests }),
  }
  const more = ended && facts.result === 'FAILURE' ? await lastLines(desk, item, jenkins, number) : {}
  await writer.change(item.id, build => mergeFacts(build, seen, deps.clock.now()), more)
}

async function lastLines(desk: Desk, item: Item, jenkins: Jenkins, number: number): Promise<More> {
  const { id, stored } = item
  const text = await orNull(desk, item, () => jenkins.tail(stored.value.job, number, tailBytes))
  if (!text) return {}
  const { keys, clock } = desk.deps
  return { writes: [put(keys.jenkinsConsole(id), consoleOf(text, clock.now()))] }
}

/**
 * What is nice to have and Jenkins does not give stays out. What it does not answer for is asked again a few times, and
 * then left out as well: it told of the build itself just before, so that only a plugin of it fails.
 */
async function orNull<T>(desk: Desk, item: Item, call: () => Promise<T>): Promise<T | null> {
  try {
    return await desk.line.ask(call)
  } catch (error) {
    if (!(error instanceof JenkinsError)) throw error
    if (error.code !== 'unavailable') return null
    if (++item.unread < mostUnread) throw error
    desk.deps.log(`build ${item.id} is told without something that Jenkins does not answer for`, error)
    return null
  }
}

function startedBy({ deps }: Desk, { user }: BuildFacts): Build['startedBy'] {
  if (user === null) return null
  return deps.person(user) ?? { name: user.slice(0, 500), slack: null }
}

const changesOf = async ({ deps }: Desk, { changes }: BuildFacts): Promise<BuildChange[]> =>
  Promise.all(
    changes.slice(0, 20).map(async ({ commit, author, email, message }) => ({
      commit: commit.slice(0, 64),
      author: author.slice(0, 200).toWellFormed(),
      email: email !== null && email.length <= 254 ? email : null,
      slack: email === null ? null : await deps.mention(email).catch(() => null),
      message: message.slice(0, 300).toWellFormed(),
    })),
  )

/** Gone, or the credential may not see it any more. For a moment that is so of a build that just began. */
async function missing(desk: Desk, item: Item, error: JenkinsError): Promise<void> {
  const { deps, times, writer } = desk
  const now = deps.clock.now()
  item.missingSince ??= now
  if (now - item.missingSince < times.missing) return
  await writer.change(item.id, build => ({
    ...build,
    phase: 'lost',
    result: build.verified ? build.result : null,
    note: `Jenkins does not know it${build.startedAt === null ? '' : ' any more'}: ${error.message}`.slice(
      0,
      1000,
    ),
  }))
}
