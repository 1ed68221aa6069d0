// Approvals, queue, locks and freezes against a tiny reference (model/reference.ts): rounds of commands that several
// people give at the same time, through two replicas on a real etcd. After each round some order of the commands must
// explain every answer and what there is then. MODEL_RUNS and MODEL_SEED: more of it, or the same again.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseApp } from '../../src/core/app-environment.ts'
import type { Caller, Core, Lock } from '../../src/core/core.ts'
import { environmentSchema } from '../../src/core/environment.ts'
import { put } from '../../src/core/records.ts'
import { UserError } from '../../src/errors.ts'
import { startWorld, type Tenant, type World } from '../core/runner/world.ts'
import { ask } from '../support/stack.ts'
import {
  type App,
  type Command,
  explained,
  isSettled,
  nothing,
  type Outcome,
  type Policy,
  people,
  type State,
  seenOf,
  type Who,
} from './model/reference.ts'

const place = 'staging'
const settleMs = 15_000
const runs = Number(process.env.MODEL_RUNS ?? 100)
/** How many rounds there were, and answers by their kind: what was not met was not tested. */
const met = { rounds: 0, answers: new Map<string, number>(), phases: new Map<string, number>() }
const count = (of: Map<string, number>, key: string) => of.set(key, (of.get(key) ?? 0) + 1)

let world: World
beforeAll(async () => {
  world = await startWorld(60)
})

const caller = (name: Who): Caller => ({
  actor: { id: `slack:${name}`, name, via: 'slack' },
  grants: people[name].map(role => ({ role, apps: ['*'], environments: ['*'] })),
})

/** gkube as the commands meet it. */
type Real = {
  readonly policy: Policy
  readonly tenant: Tenant
  readonly cores: readonly Core[]
  /** Ids of the deploys, in the order of the model's items. */
  readonly ids: string[]
}
type Model = { states: readonly State[] }

const nameOf = (real: Real, app: App) => `${real.tenant.name}-${app}`

/** Gives one command through one replica; the deploy that it made. */
async function give(real: Real, core: Core, command: Command): Promise<{ outcome: Outcome; id?: string }> {
  const by = caller(command.who)
  const place = { environment: 'staging' }
  try {
    switch (command.kind) {
      case 'request':
      case 'rollback': {
        const kind = command.kind === 'rollback' ? 'rollback' : 'deploy'
        const input = ask({ ...place, kind, app: nameOf(real, command.app), revision: command.revision })
        return { outcome: 'ok', id: (await core.request(by, input)).deploy.id }
      }
      case 'approve':
      case 'deny':
        await core.vote(by, idAt(real, command.item), { decision: command.kind, reason: '' })
        break
      case 'cancel':
        await core.cancel(by, idAt(real, command.item), { reason: '' })
        break
      case 'lock': {
        const app = command.scope === 'all' ? undefined : nameOf(real, command.scope)
        await core.lock(by, { ...place, app, reason: 'why', expiresIn: '1h', steal: command.steal })
        break
      }
      case 'unlock': {
        const app = command.scope === 'all' ? undefined : nameOf(real, command.scope)
        await core.unlock(by, { ...place, app, reason: '' })
        break
      }
      case 'leave':
        return { outcome: await leaveLock(real, command.scope) }
      case 'freeze':
        await core.freeze(by, { ...place, reason: 'why', endsIn: '1h' })
        break
      case 'unfreeze':
        await core.unfreeze(by, { ...place, reason: '' })
        break
    }
    return { outcome: 'ok' }
  } catch (error) {
    if (error instanceof UserError) return { outcome: error.kind }
    throw error
  }
}

/** As the end of a deploy that was rolled back writes it (ledger.ts). */
async function leaveLock(real: Real, app: App): Promise<Outcome> {
  const { kv, keys } = real.tenant
  const key = keys.lockApp(place, nameOf(real, app))
  const lock: Lock = {
    schema: 1,
    scope: 'app',
    environment: place,
    app: nameOf(real, app),
    by: { id: 'gkube', name: 'gkube' },
    reason: 'it was rolled back',
    at: Date.now(),
    expiresAt: null,
    deploy: '0',
  }
  const { committed } = await kv.commit({ compares: [{ kind: 'absent', key }], writes: [put(key, lock)] })
  return committed ? 'ok' : 'conflict'
}

function idAt({ ids }: Real, item: number): string {
  const id = ids[item]
  if (!id) throw new Error(`there is no deploy of item ${item}`)
  return id
}

const phases: Record<string, string> = { awaiting_approval: 'awaiting', requested: 'new', preparing: 'new' }

/** What etcd holds, as `seenOf` tells a state. */
async function observe(real: Real): Promise<string> {
  const { kv, keys } = real.tenant
  const read = async (key: string) => {
    const entry = await kv.get(key)
    return entry ? JSON.parse(entry.value) : null
  }
  const deploys = await Promise.all(real.ids.map(id => read(keys.deploy(id))))
  const who = (id: string | undefined) => id?.replace('slack:', '') ?? null
  const [a, all, b] = await Promise.all([
    read(keys.lockApp(place, nameOf(real, 'a'))),
    read(keys.lockEnv(place)),
    read(keys.lockApp(place, nameOf(real, 'b'))),
  ])
  const live = await Promise.all(
    (['a', 'b'] as const).map(
      async app => (await read(keys.workload(place, nameOf(real, app))))?.revision ?? null,
    ),
  )
  return JSON.stringify({
    items: deploys.map(deploy => {
      const phase = phases[deploy.phase] ?? deploy.phase
      const app = `${deploy.app.at(-1)}${deploy.kind === 'rollback' ? '<' : ''}`
      if (phase !== 'awaiting') return `${app} ${deploy.revision} ${phase}`
      const votes = deploy.approval.votes.map((vote: { by: { name: string } }) => vote.by.name).sort()
      return `${app} ${deploy.revision} ${phase} ${votes}`.trim()
    }),
    locks: [who(a?.by.id), who(all?.by.id), who(b?.by.id)],
    frozen: who((await read(keys.freeze(place)))?.by.id),
    live,
  })
}

type Wish = { readonly command: Command; readonly replica: 0 | 1 }

/** Commands that are given at the same moment. */
class Round implements fc.AsyncCommand<Model, Real> {
  readonly wishes: readonly Wish[]
  constructor(wishes: readonly Wish[]) {
    this.wishes = wishes
  }
  check = () => true
  toString = () => `[${this.wishes.map(wish => JSON.stringify(wish.command)).join(' | ')}]`

  async run(model: Model, real: Real): Promise<void> {
    const there = real.ids.length
    const wishes = this.wishes.flatMap(wish => {
      const { command } = wish
      if (!('item' in command)) return [wish]
      // A number of what is there already; nothing is there: no command.
      return there > 0 ? [{ ...wish, command: { ...command, item: there - 1 - (command.item % there) } }] : []
    })
    const answers = await Promise.all(
      wishes.map(async ({ command, replica }) => {
        const core = real.cores[replica]
        if (!core) throw new Error('there are two replicas')
        return { command, ...(await give(real, core, command)) }
      }),
    )
    await this.settle(model, real, answers)
  }

  private async settle(
    model: Model,
    real: Real,
    answers: readonly { command: Command; outcome: Outcome; id?: string }[],
  ): Promise<void> {
    // Items of the model come in the order in which etcd took them.
    const made = answers.filter(answer => answer.id !== undefined)
    const created = await Promise.all(
      made.map(async answer => {
        const entry = await real.tenant.kv.get(real.tenant.keys.deploy(answer.id ?? ''))
        return { answer, at: BigInt(entry?.createRevision ?? '0') }
      }),
    )
    created.sort((x, y) => (x.at < y.at ? -1 : 1))
    real.ids.push(...created.map(({ answer }) => answer.id ?? ''))
    const inOrder = [...answers.filter(answer => answer.id === undefined), ...created.map(one => one.answer)]
    const possible = explained(real.policy, model.states, inOrder)
    met.rounds++
    for (const { command, outcome } of answers) count(met.answers, `${command.kind} ${outcome}`)
    const told = answers.map(({ command, outcome }) => `${JSON.stringify(command)} → ${outcome}`).join('\n')
    expect(possible.length, `no order explains these answers:\n${told}`).toBeGreaterThan(0)
    const waiting = possible.filter(state => isSettled(real.policy, state)).map(seenOf)
    const end = Date.now() + settleMs
    for (;;) {
      const seen = await observe(real)
      // What cannot be seen may still move: all that look alike are possible.
      if (waiting.includes(seen)) {
        model.states = possible.filter(state => seenOf(state) === seen)
        return
      }
      if (Date.now() > end)
        throw new Error(`after\n${told}\nthere is\n${seen}\nallowed is\n${[...new Set(waiting)].join('\n')}`)
      await new Promise(resolve => setTimeout(resolve, 15))
    }
  }
}

const who = fc.constantFrom<Who>('ana', 'ben', 'cho', 'dan', 'eve')
const mighty = fc.constantFrom<Who>('dan', 'dan', 'fay', 'ana')
const app = fc.constantFrom<App>('a', 'a', 'b')
const scope = fc.constantFrom('a' as const, 'b' as const, 'all' as const)
/** Mostly one of the newest: those wait. */
const item = fc.oneof(fc.nat(3), fc.nat(50))
const deploys = fc.record({
  kind: fc.constant('request' as const),
  who: fc.constantFrom<Who>('ana', 'ben', 'dan', 'eve'),
  app,
  revision: fc.constantFrom('1', '2', '3'),
})
const rollbacks = fc.record({
  kind: fc.constant('rollback' as const),
  who: fc.constantFrom<Who>('ana', 'ben', 'dan', 'eve'),
  app,
  revision: fc.constantFrom('1', '2', '3'),
})
const decides = (kind: 'approve' | 'deny' | 'cancel', by = who) =>
  fc.record({ kind: fc.constant(kind), who: by, item })
const voters = fc.constantFrom<Who>('ben', 'cho', 'ben', 'cho', 'ana')
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: deploys },
  { weight: 2, arbitrary: rollbacks },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('leave' as const),
      who: fc.constant('gkube' as const),
      scope: app,
    }),
  },
  { weight: 8, arbitrary: decides('approve', voters) },
  { weight: 1, arbitrary: decides('deny') },
  { weight: 2, arbitrary: decides('cancel') },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('lock' as const), who: mighty, scope, steal: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unlock' as const), who: mighty, scope }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('freeze' as const), who: mighty }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('unfreeze' as const), who: mighty }) },
)
const wish = fc.record({ command, replica: fc.constantFrom(0 as const, 1 as const) })
const round = fc.array(wish, { minLength: 1, maxLength: 4 }).map(wishes => new Round(wishes))
const policies = fc.record({ required: fc.nat(2), own: fc.boolean(), keep: fc.boolean() })

async function begin(policy: Policy): Promise<{ real: Real; stop: () => Promise<unknown> }> {
  const tenant = world.tenant({
    queue: policy.keep ? 'keep' : 'supersede',
    approvals: environmentSchema.parse({
      approvals: { required: policy.required, requesterCounts: policy.own },
    }).approvals,
  })
  const replicas = await Promise.all([tenant.replica(), tenant.replica()])
  const real = { policy, tenant, cores: replicas.map(replica => replica.core), ids: [] }
  const admin: Caller = { ...caller('dan'), grants: [{ role: 'admin', apps: ['*'], environments: ['*'] }] }
  for (const one of ['a', 'b'] as const)
    await real.cores[0]?.applyApp(
      admin,
      parseApp({
        schema: 1,
        app: nameOf(real, one),
        kind: 'cron',
        image: `registry.example.com/shop/${one}:{revision}`,
        schedule: { cron: '0 3 * * *' },
        environments: { staging: {} },
      }),
      { dryRun: false },
    )
  return { real, stop: () => Promise.all(replicas.map(replica => replica.stop())) }
}

describe('people who act at the same time', () => {
  it(
    'are answered as if they had come one after the other',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          policies,
          fc.commands([round], { maxCommands: 20, size: 'max' }),
          async (policy, commands) => {
            const { real, stop } = await begin(policy)
            try {
              await fc.asyncModelRun(() => ({ model: { states: [nothing] }, real }), commands)
            } finally {
              for (const entry of JSON.parse(await observe(real)).items)
                count(met.phases, entry.split(' ')[2])
              await stop()
            }
          },
        ),
        {
          numRuns: runs,
          endOnFailure: process.env.MODEL_SHRINK === undefined,
          ...(process.env.MODEL_SEED ? { seed: Number(process.env.MODEL_SEED) } : {}),
        },
      )
      // biome-ignore lint/suspicious/noConsole: people look at how much was met
      console.log(
        `${runs} runs, ${met.rounds} rounds\n${[...met.answers, ...met.phases]
          .sort()
          .map(([key, n]) => `  ${n} × ${key}`)
          .join('\n')}`,
      )
    },
    runs * 60_000,
  )
})
