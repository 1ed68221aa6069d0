// App Home: published when it is opened, kept up to date for those who look, within what Slack takes, and whole also
// where a part of it cannot be read. With 200 apps in five environments.
import { afterEach, describe, expect, it } from 'vitest'
import type { Core, Status } from '../../../src/core/core.ts'
import type { Deploy } from '../../../src/core/deploy.ts'
import type { News } from '../../../src/core/news.ts'
import { UserError } from '../../../src/errors.ts'
import { problemsOf } from '../../../src/sandbox/slack/validate.ts'
import type { SlackCaller } from '../../../src/surfaces/slack/deps.ts'
import { gatherFacts, type Homes, homeUpdates } from '../../../src/surfaces/slack/home-updates.ts'
import { homeView } from '../../../src/surfaces/slack/messages/home.ts'
import { status } from './answers/sample.ts'
import { ana, approval, deploy, now, production, staging, textsOf } from './messages/sample.ts'

const caller: SlackCaller = { actor: ana, grants: [], unsure: null }
const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet }

/** A core that answers what it is given; the verbs are those that Home reads. */
function world(over: Partial<Record<'approvals' | 'asked' | 'openDeploys' | 'status', () => unknown>> = {}) {
  let time = now
  let open: Deploy[] = []
  const listeners = new Set<(news: News) => void>()
  const published: { readonly user: string; readonly text: string }[] = []
  const core = {
    approvals: async () => [],
    asked: async () => [],
    openDeploys: async () => open,
    status: async () => [],
    locks: async () => [],
    freezes: async () => [],
    ...Object.fromEntries(Object.entries(over).map(([verb, answer]) => [verb, async () => answer()])),
  } as unknown as Core
  const deps = {
    core,
    callers: { of: async (user: string) => ({ ...caller, actor: { ...ana, id: `slack:${user}` } }) },
    workspace: {
      publishHome: async (user: string, view: object) => {
        expect(problemsOf('home', view)).toEqual([])
        published.push({ user, text: textsOf(view).join('\n') })
      },
    },
    config: { command: '/gkube' },
    environments: new Map([
      ['staging', staging],
      ['production', production],
    ]),
    clock: { now: () => time },
    log: quiet,
    track: <T>(_: string, work: () => Promise<T>) => work(),
    news: (listener: (news: News) => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  } as unknown as Parameters<typeof homeUpdates>[0]
  const homes = homeUpdates(deps, { gather: 10, pace: 1, retry: 2 })
  running.push(homes)
  return {
    deps,
    homes,
    published,
    listeners,
    later: (ms: number) => {
      time += ms
    },
    /** Something happened to this deploy. */
    moved(one: Deploy) {
      open = [...open.filter(({ id }) => id !== one.id), one]
      for (const listener of listeners) listener({ kind: 'deploy', deploy: one })
    },
    open: (user: string) => homes.opened(user, async () => caller),
  }
}
const running: Homes[] = []
afterEach(() => {
  for (const homes of running.splice(0)) homes.stop()
})

describe('who looks sees what changes', () => {
  it('after it was opened, and nobody else', async () => {
    const { open, moved, published } = world()
    moved(deploy({ id: 'a', revision: '9.9.1' }))
    expect(published).toEqual([])
    await open('U0ANA')
    expect(published).toHaveLength(1)
    moved(deploy({ id: 'b', revision: '9.9.2', phase: 'awaiting_approval', approval: approval() }))
    await expect.poll(() => published.length).toBe(2)
    expect(published.map(one => one.user)).toEqual(['U0ANA', 'U0ANA'])
    expect(published[1]?.text).toContain('9.9.2')
  })

  it('many changes are one; steps and pods are none', async () => {
    const { open, moved, published } = world()
    await open('U0ANA')
    for (let i = 0; i < 50; i++) moved(deploy({ id: `d${i % 3}`, phase: i < 40 ? 'ready' : 'running' }))
    await expect.poll(() => published.length).toBe(2)
    const before = published.length
    for (let i = 0; i < 50; i++) moved(deploy({ id: 'd1', phase: 'running', revision: `1.${i}` }))
    moved(deploy({ id: 'end', revision: '7.7.7' }))
    await expect.poll(() => published.at(-1)?.text ?? '').toContain('7.7.7')
    expect(published.length).toBeLessThanOrEqual(before + 2)
  })

  it('what Slack did not take, or could not be read, is shown without a further change', async () => {
    let refusals = 2
    let unreadable = 1
    const { homes, deps, published } = world({
      status: () => {
        if (unreadable-- > 0) throw new UserError('unavailable', 'etcd does not answer.')
        return []
      },
    })
    const { publishHome } = deps.workspace
    Object.assign(deps.workspace, {
      publishHome: async (user: string, view: object) => {
        if (refusals-- > 0) throw new UserError('unavailable', 'Slack did not tell.')
        return publishHome(user, view)
      },
    })
    await expect(homes.opened('U0ANA', async () => caller)).rejects.toThrow('Slack did not tell')
    await expect.poll(() => published.length).toBe(1)
    expect(published[0]?.text).not.toMatch(/could not be read/)
  })

  it('is not tried for ever', async () => {
    let asked = 0
    const { homes, deps, moved } = world()
    const publishHome = async () => {
      asked++
      throw new UserError('unavailable', 'Slack did not tell.')
    }
    Object.assign(deps.workspace, { publishHome })
    await homes.opened('U0ANA', async () => caller).catch(() => undefined)
    await expect.poll(() => asked).toBe(6)
    // Only the next change asks again.
    moved(deploy({ id: 'b' }))
    await expect.poll(() => asked).toBe(7)
  })

  it('the same view again is not sent, unless it is opened', async () => {
    const { open, listeners, published } = world()
    await open('U0ANA')
    for (const listener of listeners) listener({ kind: 'held' })
    await open('U0ANA')
    expect(published).toHaveLength(2)
  })

  it('for an hour, and for 200 people at most', async () => {
    const { open, moved, published, later } = world()
    for (let i = 0; i < 205; i++) await open(`U${i}`)
    later(30 * 60_000)
    await open('U204')
    published.length = 0
    moved(deploy({ id: 'x', revision: '5.5.5' }))
    await expect.poll(() => published.length, { timeout: 5000 }).toBe(200)
    expect(published[0]?.user).toBe('U204')
    later(31 * 60_000)
    published.length = 0
    moved(deploy({ id: 'y', revision: '5.5.6' }))
    await expect.poll(() => published.map(one => one.user)).toEqual(['U204'])
  })
})

describe('large and half broken', () => {
  it('200 apps in five environments are quick and fit', async () => {
    const environments = ['dev', 'test', 'staging', 'live', 'production']
    const all: Status[] = Array.from({ length: 1000 }, (_, i) =>
      status({ app: `app-${i % 200}`, environment: environments[i % 5] ?? '', revision: `1.${i}` }),
    )
    const many = world({
      status: () => all,
      approvals: () =>
        Array.from({ length: 60 }, (_, i) => ({
          deploy: deploy({ id: `w${i}`, phase: 'awaiting_approval', approval: approval() }),
          planned: null,
          refusal: null,
        })),
      asked: () => Array.from({ length: 10 }, (_, i) => deploy({ id: `m${i}` })),
      openDeploys: () => Array.from({ length: 100 }, (_, i) => deploy({ id: `o${i}`, phase: 'running' })),
    })
    await many.open('U0ANA')
    const begun = performance.now()
    const facts = await gatherFacts(many.deps, caller)
    const view = homeView(facts, { now, command: '/gkube' })
    expect(performance.now() - begun).toBeLessThan(500)
    expect(view.blocks.length).toBeLessThanOrEqual(100)
    expect(many.published).toHaveLength(1)
  })

  it('what cannot be read is named, the rest is shown', async () => {
    const { open, published } = world({
      status: () => {
        throw new UserError('unavailable', 'etcd does not answer')
      },
      asked: () => [deploy({ revision: '3.2.1', phase: 'succeeded', endedAt: now })],
    })
    await open('U0ANA')
    expect(published[0]?.text).toMatch(/The environments could not be read just now/)
    expect(published[0]?.text).toContain('3.2.1')
  })

  it('who may see nothing is told what to do, not what failed', async () => {
    const forbidden = () => {
      throw new UserError('forbidden', 'eve may not see')
    }
    const { open, published } = world({
      approvals: forbidden,
      asked: forbidden,
      openDeploys: forbidden,
      status: forbidden,
    })
    await open('U0EVE')
    expect(published[0]?.text).toMatch(/whoami/)
    expect(published[0]?.text).not.toMatch(/could not be read/)
  })
})
