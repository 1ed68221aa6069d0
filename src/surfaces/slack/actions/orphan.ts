// A replica may die between posting a message and recording it; where the channel cannot be searched it is posted again
// (core/notifier.ts). The first one then stays as it was. Its buttons work, for a value is an id, but nothing on it
// moves: whoever clicks on it hears where the real one is.
import type { Messages, Rendered } from '../../../core/messages.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import type { Click } from './click.ts'

/** What to say to a click on a copy; null: it is the message, or nothing is known of it. */
export function orphanAnswer(click: Pick<Click, 'message'>, posted: Messages | null): Rendered | null {
  const { message } = click
  const main = posted?.main
  // Only what stands in a channel for everyone; answers and direct messages are nobody's copies.
  if (!message || message.thread === null || !/^[CG]/.test(message.channel)) return null
  if (!posted || !main?.ts || main.state !== 'posted') return null
  const known = [main, ...Object.values(posted.thread), ...Object.values(posted.direct)]
  if (known.some(post => post.ts === message.ts)) return null
  const where = /^[CGD][A-Z0-9]{2,}$/.test(main.channel) ? ` in <#${main.channel}>` : ''
  const text = `You clicked on a copy of this message that does not change any more. The real one is`
  return fitted(`${text} in the channel.`, [section({ mrkdwn: `${text}${where || ' in the channel'}.` })])
}
