// What makes a release out of an artifact, as a few digits of its name: another code update script, or the same one in
// another image, makes another release of the same revision. The default way has none.
import { sha256 } from '../hash.ts'
import type { Frozen } from '../workload.ts'

export function recipeOf({ spec, image }: Pick<Frozen, 'spec' | 'image'>): string {
  const { update, file } = spec.code ?? {}
  if (update === undefined && file === undefined) return ''
  const made = { file: file ?? null, ...(update === undefined ? {} : { update, image }) }
  return sha256(made).slice(0, 6)
}
