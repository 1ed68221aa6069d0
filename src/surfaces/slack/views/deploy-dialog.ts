// The dialog that asks for a deploy: app, environment, revision, and below them what would change. Pure; options.ts
// offers the choices, actions/deploy-dialog.ts opens it, follows what is chosen and submits it.
import type { ModalView } from '@slack/types'
import { optionIds, viewIds } from '../action-ids.ts'
import type { Block } from '../blocks/elements.ts'
import type { Meta } from './meta.ts'
import { modal, searchField } from './parts.ts'
import { fieldOf, type Submitted } from './state.ts'

/** What is chosen so far. */
export type Choice = {
  readonly app: string | null
  readonly environment: string | null
  readonly revision: string | null
}

export const choiceOf = (view: Pick<Submitted, 'state'>): Choice => ({
  app: fieldOf(view, optionIds.app),
  environment: fieldOf(view, optionIds.environment),
  revision: fieldOf(view, optionIds.revision),
})

/** Named after the app, so that another app starts without a revision. */
export const revisionBlock = (app: string | null): string => `revision:${app ?? ''}`

const optionOf = (value: string | null) => (value === null ? null : { value })

/**
 * `preview` is made in preview.ts. Slack keeps what is chosen as long as a field's block keeps its id: the revision's
 * is named after the app, so that another app starts without one.
 */
export const deployDialog = (at: {
  readonly choice: Choice
  readonly meta: Meta
  readonly preview: readonly Block[]
  readonly asks: boolean
}): ModalView =>
  modal({
    title: 'Deploy',
    callback: viewIds.deploy,
    submit: at.asks ? 'Ask for approval' : 'Deploy',
    meta: at.meta,
    blocks: [
      searchField({
        block: 'app',
        action: optionIds.app,
        label: 'App',
        placeholder: 'Type to search',
        initial: optionOf(at.choice.app),
      }),
      searchField({
        block: 'environment',
        action: optionIds.environment,
        label: 'Environment',
        placeholder: 'Where to',
        initial: optionOf(at.choice.environment),
      }),
      searchField({
        block: revisionBlock(at.choice.app),
        action: optionIds.revision,
        label: 'Revision',
        placeholder: '1.4.2',
        hint: 'One that ran before or runs elsewhere, or any other: type it.',
        initial: optionOf(at.choice.revision),
      }),
      ...at.preview,
    ],
  })
