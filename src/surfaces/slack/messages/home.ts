// App Home: what waits for me first, then what I run, what runs where, what is held back, my last ten. Within Slack's
// 100 blocks also with 200 apps: environments are tables, and each part is cut with a hint. Pure; who publishes it when
// is home-updates.ts.
import type { HomeView } from '@slack/types'
import type { Freeze } from '../../../core/coordination.ts'
import type { ApprovalRequest, Lock, Status } from '../../../core/core.ts'
import type { Actor, Deploy } from '../../../core/deploy.ts'
import type { Environment } from '../../../core/environment.ts'
import { ago, isOver, phaseText, stepDoing } from '../../../core/words.ts'
import { actionIds } from '../action-ids.ts'
import type { At } from '../answers/at.ts'
import { boxes, tableLines } from '../answers/table.ts'
import { actions, type Block, button, context, divider, header, section } from '../blocks/elements.ts'
import { fittedHome } from '../blocks/fit.ts'
import { code, cut, joined, type Mrkdwn, md } from '../blocks/mrkdwn.ts'
import { runningButton } from './buttons.ts'
import { freezeBlock, lockBlock } from './hold-blocks.ts'
import { requestBlocks } from './request-blocks.ts'
import { plainTitle, titled } from './state.ts'

/** What the core answered to one person. */
export type HomeFacts = {
  readonly actor: Actor
  readonly approvals: readonly ApprovalRequest[]
  /** What they asked for, newest first. */
  readonly asked: readonly Deploy[]
  /** What runs or waits where they may look, the oldest first. */
  readonly open: readonly Deploy[]
  readonly status: readonly Status[]
  readonly locks: readonly Lock[]
  readonly freezes: readonly Freeze[]
  readonly environments: ReadonlyMap<string, Environment>
  /** What could not be read just now, in words: shown, so that an empty part is not mistaken for nothing. */
  readonly unread?: readonly string[]
}

/** Blocks and rows of each part at most; together below Slack's 100 blocks. */
const most = { requests: 6, running: 6, others: 8, environments: 8, holds: 10, asked: 10 }
/** Tables of one environment, about 40 apps each: fewer where there are many environments. */
const boxesOf = (environments: number): number => (environments > 4 ? 2 : 4)

export function homeView(facts: HomeFacts, at: At): HomeView {
  const { unread = [] } = facts
  const parts = [
    approvals(facts, at),
    running(facts),
    environments(facts, at),
    holds(facts, at),
    asked(facts, at),
  ].filter(part => part.length > 0)
  const isNew = parts.length === 0 && unread.length === 0
  return fittedHome(
    [
      ...actions([
        button({ text: 'Deploy…', action: actionIds.deploy, style: 'primary' }),
        button({ text: 'Refresh', action: actionIds.refresh }),
      ]),
      ...unread.slice(0, 5).flatMap(words => context(md`:warning: ${words}`)),
      ...(isNew ? welcome(at) : parts.flatMap(part => [divider, ...part])),
    ],
    md`… there is more than fits here. ${code(`${at.command} status`)} shows all of it.`,
  )
}

const welcome = ({ command }: At): Block[] => [
  header('Nothing here yet'),
  section(
    joined(
      [
        md`What you may see and do appears here: approvals that wait for you, your deploys, what runs where.`,
        md`• ${code(`${command} deploy web 1.4.2 to staging`)} deploys an app; ${code(`${command} deploy`)} asks for the parts.`,
        md`• ${code(`${command} whoami`)} says what you may do, and who to ask for more.`,
        md`• ${code(`${command} help`)} lists all commands.`,
      ],
      '\n',
    ),
  ),
]

/** Where there is more than is shown. */
const moreLine = (count: number, shown: number, where: string, { command }: At): Block[] =>
  count > shown ? context(md`… and ${count - shown} more: ${code(`${command} ${where}`)}`) : []

function approvals({ approvals, environments, actor }: HomeFacts, at: At): Block[] {
  const mine = approvals.filter(
    ({ refusal, deploy }) => refusal === null && deploy.requestedBy.id !== actor.id,
  )
  const own = approvals.filter(
    ({ refusal, deploy }) => refusal === null && deploy.requestedBy.id === actor.id,
  )
  const waiting = [...mine, ...own]
  if (waiting.length === 0) return []
  return [
    header('Waiting for you'),
    ...waiting
      .slice(0, most.requests)
      .flatMap(request =>
        requestBlocks(request, { ...at, environment: environments.get(request.deploy.environment) ?? null }),
      ),
    ...moreLine(waiting.length, most.requests, 'approvals', at),
  ]
}

function running({ actor, open }: HomeFacts): Block[] {
  const mine = open.filter(deploy => deploy.requestedBy.id === actor.id)
  const others = open.filter(deploy => deploy.requestedBy.id !== actor.id)
  if (open.length === 0) return []
  return [
    header('Under way'),
    ...mine
      .slice(0, most.running)
      .map(deploy =>
        section(md`${titled(deploy)} · *${deploy.environment}* · ${doing(deploy)}`, runningButton(deploy)),
      ),
    ...(mine.length > most.running ? context(md`… and ${mine.length - most.running} more of yours`) : []),
    ...context(othersLine(others)),
  ]
}

/** `running, at before`, `waiting for approval`. */
function doing({ phase, steps }: Deploy): string {
  const step = steps.find(one => one.state === 'running')
  if (!step) return phaseText(phase)
  return `${phaseText(phase)}, ${stepDoing(step)}`
}

function othersLine(others: readonly Deploy[]): Mrkdwn {
  const said = others
    .slice(0, most.others)
    .map(
      deploy =>
        md`${plainTitle(deploy)} → ${deploy.environment} (${deploy.requestedBy.name}, ${phaseText(deploy.phase)})`,
    )
  const more = others.length > said.length ? [md`and ${others.length - said.length} more`] : []
  return joined([...said, ...more], ' · ')
}

/** One table an environment: app, version, since when, health, lock. What is not well stands on top. */
function environments({ status, environments }: HomeFacts, at: At): Block[] {
  if (status.length === 0) return []
  const byName = Map.groupBy(status, one => one.workload.environment)
  const known = [...environments.keys()]
  const names = [...byName.keys()].toSorted((a, b) => known.indexOf(a) - known.indexOf(b))
  const boxes = boxesOf(names.length)
  return [
    header('Environments'),
    ...names
      .slice(0, most.environments)
      .flatMap(name => environmentBlocks(name, byName.get(name) ?? [], { ...at, boxes: boxes })),
    ...moreLine(names.length, most.environments, 'status', at),
  ]
}

const troubles = { failed: 0, progressing: 1, unknown: 2, ready: 3 } as const

function environmentBlocks(
  name: string,
  list: readonly Status[],
  at: At & { readonly boxes: number },
): Block[] {
  const ready = list.filter(one => one.health === 'ready').length
  const sorted = list.toSorted(
    (a, b) => troubles[a.health] - troubles[b.health] || a.workload.app.localeCompare(b.workload.app),
  )
  const lines = tableLines(sorted.map(one => row(one, at.now)))
  const all = boxes(lines)
  const shown = all.slice(0, at.boxes)
  const count = `${list.length} ${list.length === 1 ? 'app' : 'apps'}`
  return [
    section(md`*${name}* · ${count}, ${ready === list.length ? 'all ready' : `${ready} ready`}`),
    ...shown,
    ...(all.length > shown.length ? context(md`… and more: ${code(`${at.command} status in ${name}`)}`) : []),
  ]
}

function row({ workload, ready, wanted, health, lock, freeze }: Status, now: number): string[] {
  return [
    workload.app,
    cut(workload.revision, 40),
    ready === null || wanted === null ? health : `${ready}/${wanted} ready`,
    ago(workload.updatedAt, now),
    lock ? cut(`locked: ${lock.reason}`, 60) : freeze ? 'frozen' : health === 'ready' ? '' : health,
  ]
}

function holds({ locks, freezes }: HomeFacts, at: At): Block[] {
  const rows = [
    ...freezes.map(freeze => freezeBlock(freeze, at.now)),
    ...locks.map(lock => lockBlock(lock, at.now)),
  ]
  if (rows.length === 0) return []
  return [
    header('Locks and freezes'),
    ...rows.slice(0, most.holds),
    ...(rows.length > most.holds ? context(md`… and ${rows.length - most.holds} more.`) : []),
  ]
}

function asked({ asked }: HomeFacts, at: At): Block[] {
  const ended = asked.filter(deploy => isOver(deploy.phase)).slice(0, most.asked)
  if (ended.length === 0) return []
  const rows = ended.map(deploy => [
    plainTitle(deploy),
    deploy.environment,
    phaseText(deploy.phase),
    ago(deploy.endedAt ?? deploy.requestedAt, at.now),
  ])
  return [header('My last deploys'), ...boxes(tableLines(rows))]
}
