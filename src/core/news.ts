// What changed, for those who show more than one deploy (App Home): each change of a deploy, lock or freeze as this
// replica's one watch sees it. It may lag and says little: whoever hears it reads again. follow.ts follows one deploy.
import { type Deploy, deploySchema } from './deploy.ts'
import type { Keys } from './keys.ts'
import type { Change, Kv } from './kv.ts'
import { decode, UnreadableRecord } from './records.ts'

export type News =
  | { readonly kind: 'deploy'; readonly deploy: Deploy }
  /** A lock or a freeze came or went. */
  | { readonly kind: 'held' }
  /** Changes were missed: anything may be different. */
  | { readonly kind: 'all' }

/** Calls back after each change until the returned function is called. */
export type Subscribe = (listener: (news: News) => void) => () => void

/** All listeners hang on the one watch; a record that cannot be read is no news. */
export const newsOf =
  ({ kv, keys }: { kv: Pick<Kv, 'subscribe'>; keys: Keys }): Subscribe =>
  listener => {
    const change = (one: Change): void => {
      const key = one.kind === 'put' ? one.entry.key : one.key
      if (key.startsWith(keys.locks) || key.startsWith(keys.freezes)) listener({ kind: 'held' })
      else if (one.kind === 'put' && key.startsWith(keys.deploys)) {
        try {
          listener({ kind: 'deploy', deploy: decode(deploySchema, one.entry).value })
        } catch (error) {
          // Reported where it is read to be worked on (view.ts).
          if (!(error instanceof UnreadableRecord)) throw error
        }
      }
    }
    return kv.subscribe(keys.root, { change, reset: () => listener({ kind: 'all' }) })
  }
