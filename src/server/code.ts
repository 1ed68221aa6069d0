// Wires what shipping code needs: the store of uploads, one-time tokens, the hosts' own checksums, and the keeper that
// removes uploads which nothing refers to. The core's half is core/code/ and core/artifacts/.
import { checksumReader } from '../adapters/artifacts/checksum.ts'
import { directoryStore } from '../adapters/artifacts/directory-store.ts'
import type { Config } from '../config.ts'
import { createKeeper } from '../core/artifacts/keeper.ts'
import { artifactTickets } from '../core/artifacts/tickets.ts'
import type { Clock } from '../core/clock.ts'
import type { CodeSide } from '../core/code/code-side.ts'
import type { Keys } from '../core/keys.ts'
import type { Kv } from '../core/kv.ts'
import type { Replica } from '../core/replica.ts'

export function wireCode(deps: {
  readonly config: Pick<Config, 'artifacts' | 'publish'>
  readonly kv: Kv
  readonly keys: Keys
  readonly clock: Clock
  readonly random: () => number
  readonly replica: Pick<Replica, 'name' | 'lease'>
  readonly log: (message: string, error: unknown) => void
}) {
  const { kv, keys, clock } = deps
  const { directory, maxBytes, keepSeconds, hosts } = deps.config.artifacts
  const keepMs = keepSeconds * 1000
  const store = directory === null ? null : directoryStore({ directory, maxBytes, keepMs })
  const tickets = artifactTickets({ kv, keys, clock })
  const side: CodeSide = {
    ...deps.config.publish,
    hosts,
    maxBytes,
    checksum: checksumReader({ hosts: Object.keys(hosts) }),
    uploaded: async sha256 => (await store?.touch(sha256)) ?? null,
    ticket: tickets.issue,
  }
  return {
    side,
    store,
    redeem: tickets.redeem,
    /** Null: there is nothing to keep. */
    keeper: store && createKeeper({ ...deps, store, keepMs }),
  }
}
