// One entry of a thread, with what most of them have in common left out.
import type { Rendered, ThreadEntry } from '../../../core/messages.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import type { Mrkdwn } from '../blocks/mrkdwn.ts'

/** Seen in the thread only, without files, unless `more` says otherwise. */
export const entry = (
  key: string,
  message: Rendered,
  more: Partial<Omit<ThreadEntry, 'key' | 'message'>> = {},
): ThreadEntry => ({ key, message, broadcast: false, files: [], ...more })

/** One section and its plain words. */
export const line = (text: string, words: Mrkdwn): Rendered => fitted(text, [section(words)])
