// Every dialog as Slack would judge it, also with the longest names there can be, and what people read in it.
import type { ModalView } from '@slack/types'
import { describe, expect, it } from 'vitest'
import type { Plan } from '../../../../src/core/core.ts'
import { problemsOf } from '../../../../src/sandbox/slack/validate.ts'
import { deleteDialog, scaleDialog, volumeDialog } from '../../../../src/surfaces/slack/views/change.ts'
import {
  approveDialog,
  cancelDialog,
  denyDialog,
  overrideDialog,
} from '../../../../src/surfaces/slack/views/decide.ts'
import { choiceOf, deployDialog, revisionBlock } from '../../../../src/surfaces/slack/views/deploy-dialog.ts'
import { holdDialog } from '../../../../src/surfaces/slack/views/hold.ts'
import { metaOf, metaText } from '../../../../src/surfaces/slack/views/meta.ts'
import { loadingView } from '../../../../src/surfaces/slack/views/parts.ts'
import { type Preview, previewBlocks } from '../../../../src/surfaces/slack/views/preview.ts'
import { blockOf, fieldOf, type Submitted } from '../../../../src/surfaces/slack/views/state.ts'
import { storage } from '../../support.ts'
import { workload } from '../answers/sample.ts'
import { deploy, production, textsOf } from '../messages/sample.ts'

const longest = 'a'.repeat(40)
const row = storage.find(one => one.state === 'unused')
if (!row?.title) throw new Error('the samples have one that is not used')
const unused = { ...row, title: row.title }
const environment = { ...production, name: 'e'.repeat(30), cluster: 'c'.repeat(60) }
const revision = `<!channel>&\`*${'r'.repeat(110)}`

const long = deploy({
  app: longest,
  environment: environment.name,
  revision: 'r'.repeat(128),
  requestedBy: { id: 'slack:U0ANA', name: `<!here> ${'n'.repeat(190)}`, via: 'slack' },
})
const plan = (over: Partial<Plan> = {}): Plan => ({
  app: 'web',
  environment: 'production',
  kind: 'update',
  from: '1.4.1',
  revision: '1.4.2',
  image: 'registry.example.com/shop/web:1.4.2',
  digest: 'sha256:3fa9c1e27b5d4f6a8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7',
  steps: ['apply', 'rollout', 'record'],
  objects: [{ object: 'Deployment shop/web', action: 'change', diff: '-a\n+b', warnings: [] }],
  changes: ['image 1.4.1 → 1.4.2', 'env LOG_LEVEL info → debug'],
  notes: [],
  refusals: [],
  ...over,
})
const dialogWith = (preview: Preview): ModalView =>
  deployDialog({
    choice: { app: longest, environment: environment.name, revision: 'r'.repeat(75) },
    meta: { channel: 'C0PRODUCTION' },
    preview: previewBlocks(preview),
    asks: true,
  })
const hundred = (text: string) => Array.from({ length: 100 }, (_, i) => `${text} ${i} ${'x'.repeat(400)}`)

const dialogs: Record<string, ModalView> = {
  approve: approveDialog(deploy(), { reasonNeeded: false }),
  'approve, a reason needed, long': approveDialog(long, { reasonNeeded: true }),
  deny: denyDialog(long),
  override: overrideDialog(long),
  cancel: cancelDialog(deploy({ phase: 'running' })),
  'cancel, long': cancelDialog(long),
  'cancel of what is not prepared': cancelDialog(deploy({ prepared: null })),
  delete: deleteDialog(workload(), 'C0STAGING'),
  'delete, many volumes': deleteDialog(
    workload({
      app: longest,
      inventory: Array.from({ length: 60 }, (_, i) => ({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: 'shop',
        name: `${'v'.repeat(240)}-${i}`,
        uid: 'u',
        hash: 'h',
        seen: '1',
      })),
    }),
    null,
  ),
  'delete storage': volumeDialog(unused, 'C0STAGING'),
  'delete storage, long': volumeDialog(
    { ...unused, app: longest, storage: 's'.repeat(63), title: 't'.repeat(300), volume: 'v'.repeat(253) },
    null,
  ),
  scale: scaleDialog({ workload: workload(), wanted: 3, channel: null }),
  'scale of what the cluster does not tell': scaleDialog({
    workload: workload(),
    wanted: null,
    channel: null,
  }),
  lock: holdDialog('lock', { environment: 'production', app: 'web' }, 'C0STAGING'),
  'lock of everything': holdDialog('lock', {}, null),
  freeze: holdDialog('freeze', { environment: environment.name }, null),
  loading: loadingView('Approve with a very long title that nobody reads'),
  'deploy, empty': deployDialog({
    choice: { app: null, environment: null, revision: null },
    meta: {},
    preview: previewBlocks({ kind: 'incomplete' }),
    asks: false,
  }),
  'deploy, working': dialogWith({
    kind: 'working',
    choice: { app: longest, environment: environment.name, revision },
  }),
  'deploy, no preview': dialogWith({ kind: 'none', text: `${'why '.repeat(1000)}<!channel>` }),
  'deploy, planned': dialogWith({ kind: 'plan', plan: plan(), environment: production, held: [] }),
  'deploy, planned with everything': dialogWith({
    kind: 'plan',
    plan: plan({
      app: longest,
      revision,
      from: revision,
      digest: null,
      changes: hundred('change <!channel>'),
      notes: hundred('note'),
      refusals: hundred('refusal'),
      steps: Array.from({ length: 20 }, () => 'rollout'),
    }),
    environment,
    held: hundred('held'),
  }),
}

describe('within what Slack takes', () => {
  it.each(Object.entries(dialogs))('%s', (_, view) => {
    expect(problemsOf('modal', view)).toEqual([])
    expect(JSON.stringify(view)).not.toContain('<!')
    // Ids only: nothing in there is shown or believed.
    expect(Object.keys(metaOf(view)).toSorted()).toEqual(
      Object.keys(metaOf(view))
        .filter(key => ['app', 'channel', 'deploy', 'environment', 'hash', 'hold', 'storage'].includes(key))
        .toSorted(),
    )
  })
})

describe('what people read', () => {
  const read = (view: ModalView): string => textsOf(view).join('\n')
  const cases: [string, RegExp][] = [
    ['approve', /web 1\.4\.1 → 1\.4\.2.*production.*cluster eu-1, namespace shop.*ana/],
    ['approve', /pinned to sha256:3fa9/],
    ['override', /Break-glass/],
    ['cancel', /Go back to what worked last/],
    ['cancel', /Leave it as it is then/],
    ['cancel of what is not prepared', /things stay as they are then/],
    ['delete', /deletes \*web\* from \*staging\*/],
    ['delete, many volumes', /Its volumes stay unless you name them/],
    ['delete storage', /deletes `staging\/old\/files` \*with all its data\*: 20 KiB \(0 %\) of 512 MiB/],
    ['delete storage', /Type staging\/old\/files to delete it/],
    ['scale', /It has 3 now/],
    ['lock of everything', /all apps everywhere/],
    ['deploy, planned', /image 1\.4\.1 → 1\.4\.2/],
    ['deploy, planned', /cluster eu-1, namespace shop/],
    ['deploy, planned', /for one approval/],
    ['deploy, planned with everything', /It would be refused/],
    ['deploy, planned with everything', /the tag is not pinned/],
    ['deploy, planned with everything', /… and 88 more/],
  ]
  it.each(cases)('%s: %s', (name, expected) => {
    const view = dialogs[name]
    expect(view && read(view)).toMatch(expected)
  })
})

describe('private_metadata', () => {
  it('comes back as it was', () => {
    const meta = { deploy: '01k0', app: 'web', environment: 'staging', channel: 'C0STAGING' }
    expect(metaOf({ private_metadata: metaText(meta) })).toEqual(meta)
    expect(metaOf({ private_metadata: '' })).toEqual({})
  })
  const bad = ['{', 'null', '[]', '{"deploy":"../../x"}', '{"admin":true}', '{"channel":"<#C1>"}', '"x"']
  it.each(bad)('%s is not believed', text => {
    expect(() => metaOf({ private_metadata: text })).toThrow(/another version/)
  })
})

describe('what is chosen', () => {
  const view: Pick<Submitted, 'state'> = {
    state: {
      values: {
        app: { 'gkube:app': { selected_option: { value: 'web' } } },
        environment: { 'gkube:environment': { selected_option: null } },
        [revisionBlock('api')]: { 'gkube:revision': { selected_option: { value: '1.4.2' } } },
        reason: { reason: { value: '  because  ' } },
      },
    },
  }
  it('is found by action id, wherever it stands', () => {
    expect(choiceOf(view)).toEqual({ app: 'web', environment: null, revision: '1.4.2' })
    expect(fieldOf(view, 'reason')).toBe('because')
    expect(fieldOf(view, 'nothing')).toBeNull()
    expect(blockOf(view, 'gkube:revision')).toBe('revision:api')
  })
})

it('a cancel offers to go back only where something ever worked', () => {
  const running = deploy({ phase: 'running' })
  const { prepared } = running
  if (!prepared) throw new Error('it is prepared')
  const never = { ...running, prepared: { ...prepared, base: { ...prepared.base, good: null } } }
  expect(JSON.stringify(cancelDialog(running))).toContain('Go back to what worked last')
  expect(JSON.stringify(cancelDialog(never))).not.toContain('Go back to what worked last')
})
