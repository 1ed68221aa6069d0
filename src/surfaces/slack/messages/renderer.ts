// What the notifier is given: from the facts of a deploy to its messages. A table of contents; pure.
import type { Actor } from '../../../core/deploy.ts'
import type { Renderer } from '../../../core/messages.ts'
import { buildMessage, buildThread } from './build.ts'
import { directMessage } from './direct.ts'
import { mainMessage } from './main.ts'
import { threadEntries } from './thread.ts'

/** `mention`: slackMention of names.ts. `command`: the slash command, with its slash. */
export function slackRenderer(options: {
  readonly links: { readonly compare: string | null }
  readonly mention: (actor: Actor) => string
  readonly command: string
}): Renderer {
  return {
    main: facts => mainMessage(facts, options),
    thread: facts => threadEntries(facts, options),
    direct: (facts, at) => directMessage(facts, { ...options, reminder: at.reminder }),
    build: { main: buildMessage, thread: buildThread },
  }
}
