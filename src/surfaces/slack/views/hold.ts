// The dialogs that hold deploys back: lock (an app, an environment, everything) and freeze (an environment). Pure;
// actions/modals.ts opens them and hands what comes back to the core.
import type { ModalView } from '@slack/types'
import { viewIds } from '../action-ids.ts'
import { section } from '../blocks/elements.ts'
import { md } from '../blocks/mrkdwn.ts'
import { checkField, choiceField, modal, type Option, textField } from './parts.ts'

export const holdFields = { reason: 'reason', until: 'until', steal: 'steal' } as const

/** Values are durations as the core takes them. */
export const spans: readonly Option[] = [
  { value: '1h', text: '1 hour' },
  { value: '4h', text: '4 hours' },
  { value: '8h', text: '8 hours' },
  { value: '24h', text: '1 day' },
  { value: '72h', text: '3 days' },
  { value: '168h', text: '1 week' },
  { value: '336h', text: '2 weeks' },
]

export type HoldPlace = { readonly environment?: string; readonly app?: string }

/** What is held, in words. */
export const heldWords = ({ app, environment }: HoldPlace): string =>
  [app ?? 'all apps', environment ? `in ${environment}` : 'everywhere'].join(' ')

/** `channel`: where it was asked. */
export function holdDialog(hold: 'lock' | 'freeze', place: HoldPlace, channel: string | null): ModalView {
  const lock = hold === 'lock'
  return modal({
    title: lock ? 'Lock' : 'Freeze',
    callback: viewIds.lock,
    submit: lock ? 'Lock' : 'Freeze',
    meta: { ...place, hold, ...(channel ? { channel } : {}) },
    blocks: [
      section(
        lock
          ? md`Deploys of *${heldWords(place)}* wait until you unlock it. What runs goes on.`
          : md`Nothing is deployed to *${place.environment ?? ''}* until the freeze ends. What runs goes on.`,
      ),
      textField({
        block: holdFields.reason,
        action: holdFields.reason,
        label: 'Why?',
        hint: 'Told to everyone whose deploy waits for it.',
      }),
      choiceField({
        block: holdFields.until,
        action: holdFields.until,
        label: 'For how long?',
        options: spans,
        initial: lock ? '4h' : '24h',
      }),
      ...(lock
        ? [
            checkField({
              block: holdFields.steal,
              action: holdFields.steal,
              label: 'Take it over where somebody else has locked it?',
              hint: 'They are told, with your reason.',
              checked: false,
            }),
          ]
        : []),
    ],
  })
}
