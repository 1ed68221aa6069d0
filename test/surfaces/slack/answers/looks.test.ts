// Answers about what runs: the words and the order of the command line, aligned, within Slack's limits at any size.
import { describe, expect, it } from 'vitest'
import { parseApp } from '../../../../src/core/app-environment.ts'
import type { Plan } from '../../../../src/core/core.ts'
import type { Rendered } from '../../../../src/core/messages.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import { appsAnswer } from '../../../../src/surfaces/slack/answers/apps.ts'
import { historyAnswer } from '../../../../src/surfaces/slack/answers/history.ts'
import { logsAnswer, logsFile } from '../../../../src/surfaces/slack/answers/logs.ts'
import { planAnswer } from '../../../../src/surfaces/slack/answers/plan.ts'
import { podsAnswer } from '../../../../src/surfaces/slack/answers/pods.ts'
import { statusAnswer } from '../../../../src/surfaces/slack/answers/status.ts'
import { volumesAnswer } from '../../../../src/surfaces/slack/answers/volumes.ts'
import { storage } from '../../support.ts'
import { cho, deploy, now, wordsOf } from '../messages/sample.ts'
import { at, pod, status, workload } from './sample.ts'

/** What is read, after a look whether Slack takes it. */
const read = (message: Rendered): string => {
  expect(problemsOf('message', message)).toEqual([])
  expect(JSON.stringify(message)).not.toContain('<!')
  return wordsOf(message)
}
const place = { ...at, app: 'web', environment: 'production' }

describe('status', () => {
  it('is one aligned line a workload, in the order of the command line', () => {
    const lock = {
      schema: 1 as const,
      scope: 'env' as const,
      environment: 'production',
      app: null,
      by: cho,
      reason: 'end-of-year freeze',
      at: now,
      expiresAt: now + 3_600_000,
    }
    const message = statusAnswer(
      [
        status(),
        status(
          {
            environment: 'production',
            revision: '1.4.1',
            updatedAt: now - 3 * 86_400_000,
            deployedBy: 'ben',
          },
          {
            ready: 6,
            wanted: 6,
            lock,
            current: { id: '1', kind: 'deploy', revision: '1.4.2', phase: 'running' },
          },
        ),
      ],
      at,
    )
    expect(read(message)).toBe(
      [
        '```',
        'web  staging     1.4.2  3/3 ready  2 h ago  ana',
        'web  production  1.4.1  6/6 ready  3 d ago  ben  deploy 1.4.2 running · locked: end-of-year freeze (cho, in 1 h)',
        '```',
      ].join('\n'),
    )
    expect(message.text).toBe('2 of 2 are ready')
  })

  it('tells what differs from what was written', () => {
    const drift = {
      object: 'Deployment shop/web',
      state: 'changed' as const,
      fields: [
        { path: '.spec.replicas', manager: 'kubectl (scale)', at: now - 180_000, recorded: '2', live: '5' },
      ],
    }
    expect(read(statusAnswer([status({}, { drift: [drift] })], at))).toContain(
      'drift: Deployment shop/web .spec.replicas 2 → 5 by kubectl (scale), 3 min ago',
    )
  })

  it.each([
    ['nothing at all', {}, 'Nothing runs yet. Deploy: `/gkube deploy web 1.4.2 to staging`'],
    [
      'one app',
      { app: 'api', environment: 'production' },
      'api does not run in production. Deploy: `/gkube deploy api 1.4.2 to production`',
    ],
  ])('says what to type where there is nothing: %s', (_, query, words) =>
    expect(read(statusAnswer([], { ...at, ...query }))).toBe(words),
  )

  it('fits with 200 apps in 3 environments, and says where the rest is', () => {
    const list = Array.from({ length: 600 }, (_, i) =>
      status(
        { app: `app-${'x'.repeat(30)}-${i}`.slice(-40), revision: 'r'.repeat(128) },
        { message: '<!here>', health: 'failed' },
      ),
    )
    expect(read(statusAnswer(list, at))).toMatch(/… and more\. One app: `\/gkube status web`$/)
  })
})

describe('list', () => {
  const app = (name: string) =>
    parseApp({
      app: name,
      kind: 'worker',
      image: 'x:{revision}',
      jobs: [`shop/${name}`],
      environments: { staging: {} },
    })

  it('is one line an app', () =>
    expect(
      read(
        appsAnswer(
          [
            { app: app('web'), workloads: [workload()] },
            { app: app('mailer'), workloads: [] },
          ],
          at,
        ),
      ),
    ).toBe(
      [
        '```',
        'web     worker  staging 1.4.2  shop/web',
        'mailer  worker  not deployed   shop/mailer',
        '```',
      ].join('\n'),
    ))

  it('says how to begin', () => expect(read(appsAnswer([], at))).toContain('`gkube app apply -f app.yaml`'))

  it('fits with 1000 apps', () => {
    const list = Array.from({ length: 1000 }, (_, i) => ({ app: app(`app-${i}`), workloads: [workload()] }))
    expect(read(appsAnswer(list, at))).toContain('1000 apps in all')
  })
})

describe('pods', () => {
  it('shows trouble first, without secrets', () => {
    const crashed = pod({
      name: 'web-7c9d-bad',
      ready: false,
      message: 'password=hunter2hunter2',
      containers: [
        {
          ...(pod().containers[0] as ReturnType<typeof pod>['containers'][number]),
          ready: false,
          state: 'waiting',
          reason: 'CrashLoopBackOff',
          restarts: 4,
          exit: { code: 1, reason: 'Error', startedAt: 0, finishedAt: 1 },
        },
      ],
    })
    expect(read(podsAnswer([pod(), crashed], place))).toBe(
      [
        '*web* in *production*: 1/2 pods ready',
        '```',
        'web-7c9d-bad   CrashLoopBackOff  0/1  4 restarts  5 min ago  node-1  last exit code 1 · password=[redacted]',
        'web-7c9d-x2x1  ready             1/1  0 restarts  5 min ago  node-1',
        '```',
      ].join('\n'),
    )
  })

  it('says that there are none', () =>
    expect(read(podsAnswer([], place))).toBe('*web* has no pods in *production*.'))

  it('fits with 200 pods', () => {
    const many = Array.from({ length: 200 }, (_, i) =>
      pod({ name: `web-${'x'.repeat(60)}-${i}`, ready: false, message: '&'.repeat(200) }),
    )
    expect(read(podsAnswer(many, place))).toContain('0/200 pods ready')
  })
})

describe('volumes', () => {
  it('is one aligned line each, the fullest on top, with a button for what nobody uses any more', () => {
    const message = volumesAnswer(storage, at)
    expect(read(message)).toBe(
      [
        '4 volumes, 1 above 85 %',
        '```',
        'environment  app  storage  size     used            health',
        'production   web  data     10 GiB   9.1 GiB (91 %)  2 of 3 bricks online, 4 entries to heal',
        'staging      db   data     5 GiB    -               of StorageClass fast: [31mnot known',
        'staging      web  data     10 GiB   3.2 GiB (32 %)  3 of 3 bricks online',
        'staging      old  files    512 MiB  20 KiB (0 %)    not used any more, 3 of 3 bricks online',
        '```',
        '`staging/old/files` is not used any more and holds 20 KiB.',
        'Delete…',
      ].join('\n'),
    )
  })

  it('says that there is none', () => {
    expect(read(volumesAnswer([], at))).toBe('No app has storage.')
    expect(read(volumesAnswer([], { ...at, app: 'web', environment: 'staging' }))).toBe(
      'web has no storage in staging.',
    )
  })

  it('fits with 500 of them', () => {
    const [one] = storage
    const many = Array.from(
      { length: 500 },
      (_, i) => ({ ...one, app: `app-${i}`, state: 'unused' }) as never,
    )
    expect(read(volumesAnswer(many, at))).toContain('Of one app: `/gkube volumes web`')
  })
})

describe('logs', () => {
  it('show the newest lines of each pod, without secrets', () => {
    const text = `${Array.from({ length: 500 }, (_, i) => `line ${i}`).join('\n')}\nAuthorization: Bearer abcdef123456\n`
    const message = logsAnswer(
      [
        { pod: 'web-1', container: 'web', text },
        { pod: 'web-2', container: 'web', text: 'ok <!here>\n' },
      ],
      place,
    )
    const words = read(message)
    expect(words).toContain('*web-1* web')
    expect(words).toContain('line 499')
    expect(words).not.toContain('line 1\n')
    expect(words).toContain('Bearer [redacted]')
    expect(words).toContain('ok &lt;!here&gt;')
    expect(words).toContain('`gkube logs web -E production`')
    expect(logsFile([{ pod: 'web-1', container: 'web', text }], place)).toMatchObject({
      name: 'web-production.log.txt',
      content: expect.stringMatching(/^==> web-1 web\nline 0\n[\s\S]*Bearer \[redacted\]\n$/),
    })
  })

  it('say that there is nothing', () =>
    expect(read(logsAnswer([{ pod: 'web-1', container: 'web', text: '\n' }], place))).toBe(
      '*web* in *production*: the log is empty.',
    ))

  it('fit with 200 pods and endless lines', () => {
    const chunks = Array.from({ length: 200 }, (_, i) => ({
      pod: `web-${i}`,
      container: 'web',
      text: '<&>'.repeat(5000),
    }))
    expect(read(logsAnswer(chunks, place)).length).toBeLessThan(13_000)
  })
})

describe('history', () => {
  it('is one line a deploy', () =>
    expect(
      read(
        historyAnswer(
          [
            deploy({ phase: 'succeeded', endedAt: now }),
            deploy({
              phase: 'rolled_back',
              revision: '1.4.10',
              endedAt: now,
              source: { job: null, build: null, url: null, note: '' },
            }),
          ],
          place,
        ),
      ),
    ).toBe(
      [
        '```',
        'production  deploy  1.4.2   succeeded            1 m 00 s  1 min ago  ana  shop/web #214',
        'production  deploy  1.4.10  failed, rolled back  1 m 00 s  1 min ago  ana',
        '```',
      ].join('\n'),
    ))

  it('says what to type where there is none', () =>
    expect(read(historyAnswer([], { ...at, app: 'web' }))).toBe(
      'web was never deployed. `/gkube deploy web 1.4.2 to staging`',
    ))
})

describe('plan', () => {
  const plan: Plan = {
    app: 'web',
    environment: 'production',
    kind: 'update',
    from: '1.4.1',
    revision: '1.4.2',
    image: 'shop/web:1.4.2',
    digest: null,
    steps: ['apply', 'rollout', 'record'],
    objects: [
      {
        object: 'Deployment shop/web',
        action: 'change',
        diff: '-image: 1.4.1\n+image: 1.4.2 <!here>\n',
        warnings: ['deprecated'],
      },
      { object: 'Service shop/web', action: 'none', diff: '', warnings: [] },
    ],
    changes: ['image 1.4.1 → 1.4.2'],
    notes: ['see gkube history web'],
    refusals: [],
  }

  it('shows what would change, and how', () =>
    expect(read(planAnswer(plan, at))).toBe(
      [
        '*web* `1.4.1 → 1.4.2` · *production* · update · the tag is not pinned',
        'Steps: apply → rollout → record',
        '• image 1.4.1 → 1.4.2',
        '*Note*: see /gkube history web',
        '```',
        '~ Deployment shop/web',
        '    -image: 1.4.1',
        '    +image: 1.4.2 &lt;!here&gt;',
        '    warning: deprecated',
        '= Service shop/web (no change)',
        '```',
      ].join('\n'),
    ))

  it('says first what refuses it', () => {
    const message = planAnswer({ ...plan, refusals: ['the image does not exist'] }, at)
    expect(message.text).toBe('web 1.4.1 → 1.4.2 → production: refused: the image does not exist')
    expect(read(message).split('\n')[2]).toBe('*Refused*: the image does not exist')
  })

  it('fits with an endless diff', () => {
    const objects = Array.from({ length: 60 }, (_, i) => ({
      object: `ConfigMap shop/c${i}`,
      action: 'change' as const,
      diff: `+${'y&'.repeat(3000)}\n`.repeat(20),
      warnings: [],
    }))
    expect(
      read(planAnswer({ ...plan, objects, changes: Array.from({ length: 100 }, () => 'c'.repeat(300)) }, at)),
    ).toContain('`gkube plan web 1.4.2 -E production`')
  })
})
