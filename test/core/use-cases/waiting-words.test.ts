// What a deploy waits for, in words: the messages, the command line and `--no-wait` say the same.
import { expect, it } from 'vitest'
import type { Freeze } from '../../../src/core/coordination.ts'
import type { Lock } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import { environmentSchema } from '../../../src/core/environment.ts'
import { keysBelow } from '../../../src/core/keys.ts'
import type { Deps } from '../../../src/core/use-cases/deps.ts'
import { waitingWords } from '../../../src/core/use-cases/waiting-words.ts'
import { ana, ben, deployOf, prepared } from '../sample.ts'

const keys = keysBelow('/t/')
const now = Date.UTC(2026, 10, 23, 20)
const stored = <T>(value: T, at: number) => ({
  key: '',
  value,
  createRevision: String(at),
  modRevision: String(at),
})
const deploy = (id: string, phase: Deploy['phase'], over: Partial<Deploy> = {}) =>
  deployOf({ id, phase, revision: `1.4.${id}`, prepared, ...over })

type World = { deploys?: Deploy[]; lock?: Lock; freeze?: Freeze; parallel?: number }
const freeze: Freeze = {
  schema: 1,
  environment: 'staging',
  by: ben,
  reason: 'end-of-year freeze',
  at: now,
  endsAt: now + 12 * 3_600_000,
}
const lock: Lock = {
  schema: 1,
  scope: 'app',
  environment: 'staging',
  app: 'web',
  by: { id: ben.id, name: 'ben' },
  reason: 'debugging',
  at: now,
  expiresAt: now + 3_600_000,
}

/** What the last of the deploys is told; order is that of the list. */
function words({ deploys = [], lock, freeze, parallel = 20 }: World, mine: Deploy): string | null {
  const all = deploys.includes(mine) ? deploys : [...deploys, mine]
  const runs = all.find(one => one.phase === 'running' || one.phase === 'rolling_back')
  const active = { schema: 1, epoch: 1, deploy: runs?.id ?? null }
  const live = {
    deploys: new Map(all.map((one, at) => [one.id, stored(one, at + 8)])),
    active: new Map([[keys.active('staging', runs?.app ?? 'web'), stored(active, 1)]]),
    slots: new Set(runs ? [keys.slot('staging', 0)] : []),
    locks: new Map(lock ? [['x', stored(lock, 1)]] : []),
    unreadable: new Set(),
    freezes: new Map(freeze ? [[keys.freeze('staging'), stored(freeze, 1)]] : []),
  }
  const environment = { ...environmentSchema.parse({ breakGlass: ['dan'], parallel }), name: 'staging' }
  const deps = {
    keys,
    clock: { now: () => now },
    view: { live },
    environments: new Map([['staging', environment]]),
    people: [{ id: 'dan', name: 'Dan', grants: [] }],
  }
  return waitingWords(deps as unknown as Deps, mine) // the rest is not read here
}

const runs = deploy('1', 'running')
const mine = deploy('9', 'ready')
const approval = { required: 2, requesterCounts: false, votes: [], expiresAt: now }
const cases: [string, World, Deploy, string | null][] = [
  ['nothing', {}, mine, null],
  ['what runs', {}, runs, null],
  ['approvals', {}, deploy('9', 'awaiting_approval', { approval }), 'waiting for 2 of 2 approvals'],
  [
    'one approval',
    {},
    deploy('9', 'awaiting_approval', { approval: { ...approval, required: 1 } }),
    'waiting for 1 of 1 approval',
  ],
  ['one that runs', { deploys: [runs] }, mine, 'second in line, behind 1.4.1 (@ana, rolling out)'],
  [
    'one that goes back',
    { deploys: [deploy('1', 'rolling_back', { requestedBy: ben })] },
    mine,
    'second in line, behind 1.4.1 (@ben, rolling back)',
  ],
  [
    'two, of which one runs: the nearest is named',
    { deploys: [deploy('2', 'ready', { kind: 'restart' }), runs] },
    mine,
    'third in line, behind the restart of 1.4.2 (@ana, waiting)',
  ],
  [
    'an earlier one that is still prepared',
    { deploys: [deploy('2', 'preparing')] },
    mine,
    'second in line, behind 1.4.2 (@ana, being prepared)',
  ],
  [
    'many',
    { deploys: ['2', '3', '4'].map(id => deploy(id, 'ready', { kind: 'scale' })) },
    mine,
    '4th in line, behind the scale of 1.4.4 (@ana, waiting)',
  ],
  ['later ones are no line', { deploys: [mine, deploy('7', 'ready')] }, mine, null],
  [
    'a later rollback goes first',
    { deploys: [mine, deploy('7', 'ready', { kind: 'rollback' })] },
    mine,
    'second in line, behind the rollback of 1.4.7 (@ana, waiting)',
  ],
  [
    'a rollback waits behind no deploy',
    { deploys: [deploy('2', 'ready')] },
    deploy('9', 'ready', { kind: 'rollback' }),
    null,
  ],
  ['other apps are no line', { deploys: [deploy('2', 'ready', { app: 'shop' })] }, mine, null],
  [
    'a lock before all else',
    { lock, freeze, deploys: [runs] },
    mine,
    'web in staging is locked by ben: debugging (until 2026-11-23 21:00 UTC). They or an operator can unlock it.',
  ],
  [
    'a freeze, and who may override',
    { freeze },
    mine,
    'staging is frozen until Tue 08:00 UTC: end-of-year freeze, by @ben. Named people may override: @Dan.',
  ],
  ['not a freeze that has ended', { freeze: { ...freeze, endsAt: now } }, mine, null],
  [
    'not a freeze that was overridden, nor those whom it holds',
    { freeze, deploys: [deploy('2', 'ready')] },
    deploy('9', 'ready', { overridden: { by: ana, reason: 'fire', at: now } }),
    null,
  ],
  [
    'a free slot',
    { deploys: [deploy('2', 'running', { app: 'shop' })], parallel: 1 },
    mine,
    'waiting: staging runs as many deploys at once as it may',
  ],
  [
    'another environment',
    {},
    deploy('9', 'ready', { environment: 'gone' }),
    'waiting: gone is not configured on this replica',
  ],
]
it.each(cases)('%s', (_, world, one, says) => {
  expect(words(world, one)).toBe(says)
})
