// The sandbox's image registry, as far as gkube asks one: a tag has a digest, made from its name. So production can
// insist on digests without a registry anywhere. `missing` is a tag that nobody pushed; cluster/play.ts has the rest.
import { createHash } from 'node:crypto'
import type { Registry } from '../core/freezing.ts'
import { behaviourOf } from './cluster/play.ts'

/** The same tag has the same digest, always. */
export const imageRegistry: Registry = {
  resolve: async reference =>
    behaviourOf(reference) === 'missing'
      ? { kind: 'not_found', message: `${reference} is not in the sandbox's registry` }
      : { kind: 'digest', digest: `sha256:${createHash('sha256').update(reference).digest('hex')}` },
}
