// `gkube adopt` as people and programs use it: shown, asked, done; and how `status` tells drift. What an adoption is
// on a cluster: test/slow/adopt.test.ts.
import { beforeAll, describe, expect, it } from 'vitest'
import { served } from '../serve.ts'
import { adoptionHash } from '../support.ts'
import { cliAt } from './support.ts'

let gkube: ReturnType<typeof cliAt>
let core: Awaited<ReturnType<typeof served>>['core']
beforeAll(async () => {
  const { url, ask, core: served_ } = await served()
  core = served_
  gkube = cliAt(url)
  await ask('PUT', '/v1/apps/web', { body: { app: 'web', image: 'web:{revision}' } })
})
const asked = () => core.calls('adopt').map(([, input]) => input as Record<string, unknown>)

describe('adopt', () => {
  const line = 'adopt web -E staging --workload deployment/old'

  it('shows what it found and what changes, and asks', async () => {
    const { code, out, err } = await gkube(line, { tty: true, stdin: 'no\n' })
    expect(out).toMatch(/^web 1\.4\.1 · staging · adopts Deployment shop\/old$/m)
    expect(out).toMatch(/^steps: adopt → apply → rollout → record$/m)
    expect(out).toMatch(/^ {2}Service shop\/old {2}stays as it is, and selects the new pods too$/m)
    expect(out).toMatch(/kubectl-client-side-apply {2}12 fields .*becomes gkube's$/m)
    expect(out).toMatch(/their-operator +2 fields +stays$/m)
    expect(out).toMatch(/^~ Deployment shop\/old$/m)
    expect(out).toMatch(/^ {4}\+ {2}a: 2$/m)
    expect(out).toContain('note: ')
    expect(out).not.toContain('\u001b[31m')
    expect(err).toMatch(
      /Take over Deployment shop\/old as web in staging\? Type the name.*nothing was changed/s,
    )
    expect(code).toBe(2)
    expect(asked()).toEqual([])
  })

  it('does what was shown, when the name is typed or with --yes', async () => {
    const typed = await gkube(line, { tty: true, stdin: 'web\n' })
    expect(typed.code, typed.err).toBe(0)
    const sure = await gkube(`${line} --yes --take-from ops --force-from helm --force-from flux --note move`)
    expect(sure.code, sure.err).toBe(0)
    expect(sure.out).toMatch(/RESULT succeeded web/)
    expect(asked().at(-1)).toMatchObject({
      workload: 'deployment/old',
      confirm: adoptionHash,
      revision: '1.4.1',
      takeFrom: ['ops'],
      forceFrom: ['helm', 'flux'],
      source: { note: 'move' },
    })
  })

  it.each([
    ['without a terminal it needs --yes', line, 2, /add --yes/],
    ['what is refused is not asked for', 'adopt web -E staging --workload deployment/helm --yes', 2, /^$/],
    [
      'another plan than the one that was seen',
      `${line} --yes --confirm ${'b'.repeat(64)}`,
      2,
      /not the plan b+ any more/,
    ],
    ['no workload', 'adopt web -E staging', 2, /--workload/],
    ['an app that is not there', 'adopt none -E staging --workload deployment/old --yes', 2, /none/],
  ])('%s', async (_, words, code, err) => {
    const before = asked().length
    const result = await gkube(words)
    expect(result.err).toMatch(err)
    expect(result.code).toBe(code)
    expect(asked()).toHaveLength(before)
  })

  it('--json is the plan until --yes, then the deploy', async () => {
    const before = asked().length
    const plan = await gkube(`${line} --json`)
    expect(plan.code).toBe(0)
    expect(JSON.parse(plan.out)).toMatchObject({ hash: adoptionHash, refusals: [] })
    expect(asked()).toHaveLength(before)
    const done = await gkube(`${line} --json --yes --confirm ${adoptionHash}`)
    expect(JSON.parse(done.out)).toMatchObject({ app: 'web', phase: 'succeeded' })
    const refused = await gkube('adopt web -E staging --workload deployment/helm --json --yes')
    expect(refused.code).toBe(2)
    expect(JSON.parse(refused.out).refusals).toHaveLength(1)
  })
})

describe('drift in status', () => {
  it('is one line an object, with who and when', async () => {
    await gkube('deploy web drifted -E staging')
    const { out } = await gkube('status web')
    expect(out).toMatch(
      /^drift: Deployment shop\/web \.spec\.replicas 2 → 4 by kubectl \(scale\), 2 min ago; \.spec\.paused none → .*true$/m,
    )
    expect(out).toMatch(/^drift: Service shop\/web is missing$/m)
    expect(out).not.toContain('\u001b')
    const [one] = JSON.parse((await gkube('status web --json')).out)
    expect(one.drift).toHaveLength(2)
  })
})
