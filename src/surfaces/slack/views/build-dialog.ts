// The dialog that asks for a build (its job, then the job's parameters), and the one that answers an input of a
// pipeline. Pure; actions/build-dialog.ts and actions/input-dialog.ts open them and read what comes back.
import type { ModalView } from '@slack/types'
import type { Build, Parameter, PendingInput } from '../../../core/builds/build.ts'
import { buildTitle } from '../../../core/builds/words.ts'
import { sha256 } from '../../../core/hash.ts'
import { buildOptionIds, buildViewIds } from '../action-ids.ts'
import { section } from '../blocks/elements.ts'
import { cut, type Mrkdwn, md, prose } from '../blocks/mrkdwn.ts'
import { parameterBlocks } from './build-fields.ts'
import type { Meta } from './meta.ts'
import { modal, searchField } from './parts.ts'

export const jobBlock = 'job'

/** What stands below the job. */
export type Below =
  | { readonly kind: 'nothing' }
  /** Being read, or why there is nothing. */
  | { readonly kind: 'words'; readonly words: Mrkdwn }
  | { readonly kind: 'parameters'; readonly parameters: readonly Parameter[]; readonly url: string }

/** `meta.job`: the job whose parameters it shows; `values`: filled in instead of the defaults. */
export function buildDialog(at: {
  readonly job: string | null
  readonly channel: string | null
  readonly below: Below
  readonly values: Readonly<Record<string, string>>
}): ModalView {
  const { job, below, values } = at
  const shows = job !== null && below.kind === 'parameters'
  const meta: Meta = { ...(at.channel ? { channel: at.channel } : {}), ...(shows ? { job } : {}) }
  return modal({
    title: 'Build',
    callback: buildViewIds.build,
    submit: 'Build',
    meta,
    blocks: [
      searchField({
        block: jobBlock,
        action: buildOptionIds.job,
        label: 'Job',
        placeholder: 'Type to search',
        hint: 'Jobs of apps come first. To look into a folder, type its path: shop/',
        initial: job === null ? null : { value: job },
      }),
      ...(below.kind === 'words' ? [section(below.words)] : []),
      ...(shows ? parametersBelow(job, below, values) : []),
    ],
  })
}

function parametersBelow(
  job: string,
  { parameters, url }: Extract<Below, { kind: 'parameters' }>,
  values: Readonly<Record<string, string>>,
) {
  if (parameters.length === 0) return [section(md`*${job}* takes no parameters.`)]
  return parameterBlocks(parameters, { of: sha256(job).slice(0, 8), values, url })
}

/** The question of a pipeline that asks for more than yes or no. */
export const inputDialog = (build: Build, input: PendingInput): ModalView =>
  modal({
    title: 'Answer',
    callback: buildViewIds.input,
    submit: cut(input.proceed, 24) || 'Proceed',
    meta: { build: build.id, input: input.id },
    blocks: [
      section(md`*${buildTitle(build)}* asks: ${prose(input.message)}`),
      ...parameterBlocks(input.parameters, { of: sha256(input.id).slice(0, 8), values: {}, url: build.url }),
    ],
  })
