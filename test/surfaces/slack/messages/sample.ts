// Facts for tests of the renderers, and what people read of a rendered message.
import type { Actor, Deploy } from '../../../../src/core/deploy.ts'
import { type Environment, environmentSchema } from '../../../../src/core/environment.ts'
import type { MessageFacts, Rendered } from '../../../../src/core/messages.ts'
import { slackMention } from '../../../../src/surfaces/slack/messages/names.ts'
import { slackRenderer } from '../../../../src/surfaces/slack/messages/renderer.ts'
import { deployOf, prepared } from '../../../core/sample.ts'

export const ana: Actor = { id: 'slack:U0ANA', name: 'ana', via: 'slack' }
export const ben: Actor = { id: 'slack:U0BEN', name: 'ben', via: 'slack' }
export const cho: Actor = { id: 'slack:U0CHO', name: 'cho', via: 'slack' }
export const jenkins: Actor = { id: 'token:ci', name: 'ci', via: 'jenkins' }

/** 2025-11-24 14:00 UTC */
export const now = Date.UTC(2025, 10, 24, 14, 0, 0)
export const hash = 'a1b2c3d4e5f60718'

export const production: Environment = {
  ...environmentSchema.parse({
    cluster: 'eu-1',
    namespace: 'shop',
    protected: true,
    approvals: { required: 1, tell: true },
    breakGlass: ['cho'],
  }),
  name: 'production',
}
export const staging: Environment = { ...environmentSchema.parse({}), name: 'staging' }

/** web 1.4.1 → 1.4.2 in production, prepared, asked for by ana a minute ago. */
export const deploy = (over: Partial<Deploy> = {}): Deploy =>
  deployOf({
    id: '01k0000000000000000000web1',
    environment: 'production',
    requestedBy: ana,
    requestedAt: now - 60_000,
    prepared: {
      ...prepared,
      cluster: 'eu-1',
      namespace: 'shop',
      digest: 'sha256:3fa9c1e27b5d4f6a8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7',
      hash,
    },
    source: { job: 'shop/web', build: 214, url: 'https://ci.example.com/job/shop/job/web/214/', note: '' },
    ...over,
  })

export const vote = (
  by: Actor,
  decision: 'approve' | 'deny' = 'approve',
  reason = '',
): NonNullable<Deploy['approval']>['votes'][number] => ({ by, decision, reason, at: now, hash })

export const approval = (
  over: Partial<NonNullable<Deploy['approval']>> = {},
): NonNullable<Deploy['approval']> => ({
  required: 1,
  requesterCounts: false,
  votes: [],
  expiresAt: now + 30 * 60_000,
  ...over,
})

export const facts = (over: Partial<MessageFacts> & { deploy: Deploy }): MessageFacts => ({
  environment: over.deploy.environment === 'staging' ? staging : production,
  progress: null,
  diagnosis: null,
  planned: null,
  waiting: null,
  now,
  ...over,
})

export const renderer = slackRenderer({
  links: { compare: 'https://github.com/acme/{app}/compare/{from}...{to}' },
  mention: slackMention,
  command: '/gkube',
})

type Any = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Any => value !== null && typeof value === 'object'

/** Every text that people read, in order: of sections, contexts, buttons, dialogs. */
export function textsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(textsOf)
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'text' && typeof inner === 'string' ? [inner] : textsOf(inner),
  )
}

/** What stands in the message, buttons left out. */
export const wordsOf = ({ blocks }: Rendered): string =>
  textsOf(blocks.filter(block => (block as Any).type !== 'actions')).join('\n')

export type SeenButton = {
  readonly text: string
  readonly action: string
  readonly value: string | undefined
  readonly style: string | undefined
  readonly confirm: { readonly text: string; readonly style: string | undefined } | null
}

/** Its buttons, in order. */
export function buttonsIn(value: unknown): SeenButton[] {
  if (Array.isArray(value)) return value.flatMap(buttonsIn)
  if (!isObject(value)) return []
  if (value.type !== 'button') return Object.values(value).flatMap(buttonsIn)
  const confirm = value.confirm as { text: { text: string }; style?: string } | undefined
  return [
    {
      text: (value.text as { text: string }).text,
      action: String(value.action_id),
      value: value.value as string | undefined,
      style: value.style as string | undefined,
      confirm: confirm ? { text: confirm.text.text, style: confirm.style } : null,
    },
  ]
}

export const labels = (value: unknown): string[] => buttonsIn(value).map(one => one.text)
