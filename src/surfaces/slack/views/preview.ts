// What a deploy would change, below the pickers of the deploy dialog: few lines, the whole diff is in the request's
// thread. Pure; actions/deploy-dialog.ts asks the core for the plan and says how long it waited for it.
import type { Plan } from '../../../core/core.ts'
import type { Environment } from '../../../core/environment.ts'
import { namespaceOf } from '../../../core/environment.ts'
import { artifactText } from '../../../core/words.ts'
import { type Block, context, divider, section } from '../blocks/elements.ts'
import { code, joined, type Mrkdwn, md, nothing, prose } from '../blocks/mrkdwn.ts'
import type { Choice } from './deploy-dialog.ts'

export type Preview =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'working'; readonly choice: Choice }
  | {
      readonly kind: 'plan'
      readonly plan: Plan
      readonly environment: Environment
      /** Locks and freezes in the way, in words. */
      readonly held: readonly string[]
    }
  /** There is none; `text` says why, and it does not keep anyone from asking. */
  | { readonly kind: 'none'; readonly text: string }

const mostChanges = 12
const mostNotes = 6

export function previewBlocks(preview: Preview): Block[] {
  switch (preview.kind) {
    case 'incomplete':
      return [
        divider,
        ...context(md`Choose an app, an environment and a revision to see here what would change.`),
      ]
    case 'working': {
      const { app, environment, revision } = preview.choice
      return [
        divider,
        ...context(
          md`:hourglass_flowing_sand: Working out what ${app ?? ''} ${revision ?? ''} would change in ${environment ?? ''}…`,
        ),
      ]
    }
    case 'none':
      return [divider, ...context(md`:grey_question: ${prose(preview.text, 800)}`)]
    case 'plan':
      return planBlocks(preview)
  }
}

function planBlocks({ plan, environment, held }: Extract<Preview, { kind: 'plan' }>): Block[] {
  const { app, from, revision } = plan
  const versions = from && from !== revision ? md`${code(from)} → ${code(revision)}` : md`${code(revision)}`
  const place = md`cluster ${environment.cluster}, namespace ${namespaceOf(environment, app)}`
  const first = from ? nothing : md` · its first deploy here`
  const what = md`*${app}* ${versions} · *${environment.name}* (${place})${first}`
  const image = plan.digest
    ? md`image \`${plan.digest.slice(0, 19)}…\``
    : md`the tag is not pinned to a digest`
  const shipped = plan.artifact ? md`code ${code(artifactText(plan.artifact))}` : nothing
  const warnings = plan.objects.flatMap(object => object.warnings.map(text => `${object.object}: ${text}`))
  const notes = [...plan.notes, ...warnings]
  return [
    divider,
    section(joined([what, changesOf(plan)], '\n')),
    ...lines(':no_entry: It would be refused:', plan.refusals),
    ...lines(':double_vertical_bar: It would wait:', [...held, ...approvalWords(environment)]),
    ...lines(':warning: Good to know:', notes),
    ...context(joined([shipped, image, md`steps: ${plan.steps.join(' → ')}`], ' · ')),
  ]
}

function changesOf({ changes, objects, from }: Plan): Mrkdwn {
  if (changes.length === 0) {
    const touched = objects.filter(object => object.action !== 'none').length
    if (touched === 0) return md`Nothing would change.`
    return from ? md`No change of the configuration.` : nothing
  }
  const shown = changes.slice(0, mostChanges).map(change => md`• ${change.slice(0, 200)}`)
  const rest = changes.length - shown.length
  return joined([...shown, rest > 0 ? md`… and ${rest} more` : nothing], '\n')
}

/** Whether it would ask for approval, as a reason to wait. */
const approvalWords = ({ approvals }: Environment): string[] =>
  approvals.required === 0
    ? []
    : [`for ${approvals.required === 1 ? 'one approval' : `${approvals.required} approvals`}`]

function lines(title: string, items: readonly string[]): Block[] {
  if (items.length === 0) return []
  const shown = items.slice(0, mostNotes).map(item => md`• ${prose(item, 300)}`)
  const rest = items.length - shown.length
  return [section(joined([md`${title}`, ...shown, rest > 0 ? md`… and ${rest} more` : nothing], '\n'))]
}
