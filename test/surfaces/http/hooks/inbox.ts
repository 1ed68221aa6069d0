// A whole replica with two hooks, and what its etcd keeps of them. The follower takes entries out of the inbox, so they
// are seen as they are written.
import { type InboxEntry, inboxSchema } from '../../../../src/core/builds/event.ts'
import { sha256 } from '../../../../src/core/hash.ts'
import { keysBelow } from '../../../../src/core/keys.ts'
import { decode } from '../../../../src/core/records.ts'
import { type Stack, startStack } from '../../../support/stack.ts'

export const secrets = { all: 'all-secret-0123456789abcdef', shop: 'shop-secret-0123456789abcdef' } as const

export type HookStack = Stack & {
  /** Every entry of the inbox so far, in its order. */
  readonly entries: readonly InboxEntry[]
  /** Waits for so many. */
  told(count: number): Promise<readonly InboxEntry[]>
}

export async function hookStack(options: Parameters<typeof startStack>[0] = {}): Promise<HookStack> {
  const stack = await startStack({
    ...options,
    config: {
      jenkins: {
        hooks: { all: { secretEnv: 'HOOK_ALL' }, shop: { secretEnv: 'HOOK_SHOP', jobs: ['shop/*'] } },
      },
      ...options.config,
    },
    env: { HOOK_ALL: secrets.all, HOOK_SHOP: secrets.shop, ...options.env },
  })
  const entries: InboxEntry[] = []
  let changed = () => {}
  stack.server.kv.subscribe(keysBelow(stack.root).inbox, {
    change: change => {
      if (change.kind === 'put') entries.push(decode(inboxSchema, change.entry).value)
      changed()
    },
  })
  return Object.assign(stack, {
    entries,
    told: (count: number) =>
      new Promise<readonly InboxEntry[]>(resolve => {
        changed = () => {
          if (entries.length >= count) resolve(entries)
        }
        changed()
      }),
  })
}

/** What makes an event news, for counting: all but its time. */
export const newsOf = ({ event: { startedAt: _, ...news } }: InboxEntry): string => sha256(news)
