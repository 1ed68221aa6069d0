// Answers to people: refusals, faults, what was taken, who they are, what waits for them, what is held, what is wrong.
import { describe, expect, it } from 'vitest'
import type { Whoami } from '../../../../src/core/access/verbs.ts'
import { helpOf, helpOfAll } from '../../../../src/core/command/help.ts'
import type { ApprovalRequest, Check, Lock } from '../../../../src/core/core.ts'
import type { Rendered } from '../../../../src/core/messages.ts'
import { UserError } from '../../../../src/errors.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import { acceptedAnswer } from '../../../../src/surfaces/slack/answers/accepted.ts'
import { approvalsAnswer } from '../../../../src/surfaces/slack/answers/approvals.ts'
import { doctorAnswer } from '../../../../src/surfaces/slack/answers/doctor.ts'
import { helpAnswer } from '../../../../src/surfaces/slack/answers/help.ts'
import { locksAnswer } from '../../../../src/surfaces/slack/answers/locks.ts'
import {
  faultAnswer,
  refusalAnswer,
  unconfirmedAnswer,
} from '../../../../src/surfaces/slack/answers/refusal.ts'
import { whoamiAnswer } from '../../../../src/surfaces/slack/answers/whoami.ts'
import {
  ana,
  approval,
  buttonsIn,
  cho,
  deploy,
  labels,
  now,
  production,
  wordsOf,
} from '../messages/sample.ts'
import { at } from './sample.ts'

const read = (message: Rendered): string => {
  expect(problemsOf('message', message)).toEqual([])
  expect(JSON.stringify(message)).not.toContain('<!')
  return wordsOf(message)
}

describe('a refusal', () => {
  const refuse = (error: UserError, more?: string) =>
    read(refusalAnswer(error, { requestId: '7f3a', command: '/gkube', more }))

  it.each<[string, UserError, string]>([
    [
      'says who may',
      new UserError('forbidden', 'ana may not approve web in production. Who may: @ben.'),
      'ana may not approve web in production. Who may: @ben.',
    ],
    [
      'suggests, and names commands as they are typed here',
      new UserError('not_found', '`wbe` is not an app. Did you mean `web`? All apps: gkube app list'),
      '`wbe` is not an app. Did you mean `web`? All apps: /gkube list',
    ],
    [
      'pings nobody',
      new UserError('bad_input', 'There is no app `<!channel>`'),
      'There is no app `&lt;!channel&gt;`',
    ],
    [
      'has an id where something of ours does not answer',
      new UserError('unavailable', 'etcd does not answer.'),
      'etcd does not answer.\nid `7f3a`',
    ],
    [
      'keeps the lines of many mistakes',
      new UserError('bad_input', 'Two things:\n- one\n- two'),
      'Two things:\n- one\n- two',
    ],
    ['is never empty', new UserError('conflict', ''), 'It was refused.'],
  ])('%s', (_, error, words) => expect(refuse(error)).toBe(words))

  it('says what else is to know', () =>
    expect(refuse(new UserError('forbidden', 'No.'), 'Slack did not tell your groups.')).toBe(
      'No.\nSlack did not tell your groups.',
    ))

  it('fits, however long', () =>
    expect(refuse(new UserError('bad_input', '&'.repeat(50_000))).length).toBeLessThan(3001))
})

it('a fault gives an id and no stack', () => {
  const message = faultAnswer('7f3a')
  expect(read(message)).toContain('give this id to who runs gkube: `7f3a`')
  expect(message.text).toContain('(id 7f3a)')
})

it('what is not confirmed says so', () => {
  expect(read(unconfirmedAnswer('01kdeploy'))).toMatch(/^Not confirmed, checking: [\s\S]*deploy `01kdeploy`$/)
  expect(read(unconfirmedAnswer(null))).not.toContain('deploy `')
})

describe('a request that was taken', () => {
  it.each([
    [
      'new',
      false,
      'C0PRODUCTION',
      '*web 1.4.1 → 1.4.2* → *production*: got it. Follow it in <#C0PRODUCTION>.',
    ],
    [
      'asked for before',
      true,
      null,
      '*web 1.4.1 → 1.4.2* → *production*: that was asked for already; it is requested. No channel shows it: invite gkube to this one. The *Home* tab shows how it goes.',
    ],
    [
      'no channel at all',
      false,
      '<!here>',
      '*web 1.4.1 → 1.4.2* → *production*: got it. No channel shows it: invite gkube to this one. The *Home* tab shows how it goes.',
    ],
  ])('%s', (_, repeated, channel, words) =>
    expect(read(acceptedAnswer(deploy(), { repeated, channel }))).toBe(words),
  )
})

describe('whoami', () => {
  const whoami: Whoami = {
    actor: ana,
    environments: [
      {
        environment: 'production',
        protected: true,
        may: [
          {
            app: '*',
            actions: ['view'],
            by: [{ role: 'viewer', apps: ['*'], environments: ['production'] }],
          },
          {
            app: 'web',
            actions: ['view', 'deploy', 'delete_pod'],
            by: [{ role: 'deployer', apps: ['web'], environments: ['production'] }],
          },
        ],
        breakGlass: true,
      },
      { environment: 'staging', protected: false, may: [], breakGlass: false },
    ],
  }

  it('says what one may, and why', () =>
    expect(read(whoamiAnswer(whoami, at))).toBe(
      [
        'You are *ana*, `slack:U0ANA`.',
        '*production* · protected',
        '• all apps: view (as viewer)',
        '• web: view, deploy, delete pod (as deployer)',
        '• may override approvals and freezes, with a reason that all see',
        'Everything else: `/gkube help`',
      ].join('\n'),
    ))

  it('says who to ask where one may nothing', () =>
    expect(read(whoamiAnswer({ ...whoami, environments: [] }, at))).toContain(
      'You may do nothing here yet. Ask an operator for a role',
    ))

  it('fits with 100 environments of 200 apps', () => {
    const [one] = whoami.environments
    const may = Array.from({ length: 200 }, (_, i) => ({ app: `a${i}`, actions: ['view'], by: [] }))
    const environments = Array.from({ length: 100 }, () => ({
      ...(one as Whoami['environments'][number]),
      may,
    }))
    expect(read(whoamiAnswer({ ...whoami, environments }, at))).toContain('and 180 more apps')
  })
})

describe('approvals', () => {
  const request = (over: Partial<ApprovalRequest> = {}): ApprovalRequest => ({
    deploy: deploy({ phase: 'awaiting_approval', approval: approval() }),
    planned: {
      schema: 1,
      changes: ['image 1.4.1 → 1.4.2'],
      notes: [],
      diff: '+x',
      since: [],
      voided: [],
      at: now,
    },
    refusal: null,
    ...over,
  })
  const environments = new Map([['production', production]])

  it('shows mine first, with buttons; the others with the reason why not', () => {
    const own = request({
      deploy: deploy({ id: 'own', phase: 'awaiting_approval', approval: approval() }),
      refusal: 'You asked for it yourself.',
    })
    const message = approvalsAnswer([own, request()], { ...at, environments })
    expect(message.text).toMatch(/^2 wait for approval, 1 for yours: web 1\.4\.2 → production/)
    const words = read(message)
    expect(words).toContain('*web* `1.4.1` → `1.4.2` · *production* · needs 1 approval\nimage 1.4.1 → 1.4.2')
    expect(words).toContain('You asked for it yourself.')
    expect(labels(message.blocks)).toEqual(['Approve', 'Approve with comment…', 'Deny…', 'Diff', 'Diff'])
    expect(buttonsIn(message.blocks).map(one => one.value)).toEqual([...Array(4).fill(deploy().id), 'own'])
  })

  it('says that there is nothing', () =>
    expect(read(approvalsAnswer([], { ...at, environments }))).toBe('Nothing waits for approval.'))

  it('fits with 200 of them', () =>
    expect(
      read(
        approvalsAnswer(
          Array.from({ length: 200 }, (_, i) =>
            request({ deploy: deploy({ id: `d${i}`, phase: 'awaiting_approval', approval: approval() }) }),
          ),
          { ...at, environments },
        ),
      ),
    ).toContain('and 185 more'))
})

describe('locks and freezes', () => {
  const lock = (over: Partial<Lock> = {}): Lock => ({
    schema: 1,
    scope: 'app',
    environment: 'production',
    app: 'web',
    by: cho,
    reason: 'a leak <!here>',
    at: now - 60_000,
    expiresAt: now + 3_600_000,
    ...over,
  })
  const freeze = {
    schema: 1 as const,
    environment: 'production',
    by: cho,
    reason: 'end of year',
    at: now,
    endsAt: now + 86_400_000,
  }

  it('are rows with the button that ends them', () => {
    const all = [
      lock(),
      lock({ app: null, scope: 'env' }),
      lock({ app: null, environment: null, scope: 'all' }),
    ]
    const message = locksAnswer(all, [freeze], at)
    expect(message.text).toBe('1 freeze, 3 locks')
    expect(read(message)).toContain(
      '*web in production* is locked by @cho: “a leak &lt;!here&gt;” · 1 min ago, ends in 1 h',
    )
    expect(buttonsIn(message.blocks).map(one => [one.text, one.value])).toEqual([
      ['Unfreeze…', 'production'],
      ['Unlock…', 'production/web'],
      ['Unlock…', 'production/'],
      ['Unlock…', '/'],
    ])
  })

  it('say how to hold something back', () =>
    expect(read(locksAnswer([], [], at))).toContain('`/gkube lock web in production for 2h'))

  it('fit with 200 of them', () =>
    expect(
      read(
        locksAnswer(
          Array.from({ length: 200 }, () => lock({ reason: 'x'.repeat(500) })),
          [],
          at,
        ),
      ),
    ).toContain('more'))
})

describe('doctor', () => {
  const check = (name: string, state: Check['state'], mend = ''): Check => ({
    name,
    state,
    message: `${name} says`,
    mend,
  })

  it('shows trouble first, and how to mend it', () => {
    const message = doctorAnswer(
      [
        check('etcd', 'ok'),
        check('token', 'failed', 'set GKUBE_SLACK_BOT_TOKEN; see gkube doctor'),
        check('scopes', 'warning'),
      ],
      at,
    )
    expect(message.text).toBe('1 of 3 checks failed, 1 to look at')
    expect(read(message).split('\n')).toEqual([
      '*1 of 3 checks failed, 1 to look at*',
      ':x: *token*: token says',
      'Mend: set GKUBE_SLACK_BOT_TOKEN; see /gkube doctor',
      ':warning: *scopes*: scopes says',
      ':white_check_mark: *etcd*: etcd says',
    ])
  })

  it('says that all is fine', () =>
    expect(doctorAnswer([check('etcd', 'ok')], at).text).toBe('1 check is fine'))

  it('fits with 200 checks', () =>
    expect(
      read(
        doctorAnswer(
          Array.from({ length: 200 }, (_, i) => check(`c${i}`, 'failed', 'm'.repeat(900))),
          at,
        ),
      ),
    ).toContain('200 of 200'))
})

describe('help', () => {
  it('lists every command with its usage', () => {
    const words = read(helpAnswer(helpOfAll(), at))
    for (const { usage, summary } of helpOfAll()) {
      expect(words).toContain(`\`/gkube ${usage.replaceAll('<', '&lt;').replaceAll('>', '&gt;')}\``)
      expect(words).toContain(summary)
    }
  })

  it('shows one command with examples', () => {
    const words = read(helpAnswer([helpOf('deploy')], at))
    for (const example of helpOf('deploy').examples) expect(words).toContain(`• \`/gkube ${example}\``)
  })
})
