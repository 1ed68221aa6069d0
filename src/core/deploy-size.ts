// Pure: keeps a Deploy record within its 8 KiB. What people typed and what servers said is cut, longest first, until
// it fits; what decides anything is never touched. The diagnosis has the whole story.
import type { Deploy } from './deploy.ts'

export const mostDeployBytes = 8 * 1024

const bytesOf = (deploy: Deploy): number => Buffer.byteLength(JSON.stringify(deploy))

/** The same deploy, with shorter words where it would be too large. */
export function withinSize(deploy: Deploy): Deploy {
  let fits = deploy
  for (const most of [300, 150, 60, 20]) {
    if (bytesOf(fits) <= mostDeployBytes) return fits
    fits = shortened(fits, most)
  }
  return fits
}

function shortened(deploy: Deploy, most: number): Deploy {
  const cut = (text: string) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`)
  const { approval, cause, overridden, source } = deploy
  return {
    ...deploy,
    steps: deploy.steps.map(step => ({ ...step, message: cut(step.message) })),
    cause: cause && { ...cause, message: cut(cause.message) },
    source: {
      ...source,
      note: cut(source.note),
      branch: source.branch && cut(source.branch),
      user: source.user && cut(source.user),
      // Half an address leads nowhere.
      url: source.url && source.url.length > Math.max(most, 150) ? null : source.url,
    },
    overridden: overridden && { ...overridden, reason: cut(overridden.reason) },
    approval: approval && {
      ...approval,
      votes: approval.votes.map(vote => ({
        ...vote,
        // Who it is, is the id.
        by: { ...vote.by, name: cut(vote.by.name) },
        reason: cut(vote.reason),
      })),
    },
  }
}
