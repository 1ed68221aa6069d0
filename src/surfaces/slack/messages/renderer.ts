// What the notifier is given: from the facts of a deploy or a build to its messages. A table of contents; pure.
import type { Actor } from '../../../core/deploy.ts'
import type { Renderer } from '../../../core/messages.ts'
import { buildMessage } from './build.ts'
import type { Environments } from './build-buttons.ts'
import { buildThread } from './build-thread.ts'
import { directMessage } from './direct.ts'
import { mainMessage } from './main.ts'
import { noticeMessage } from './notice.ts'
import { threadEntries } from './thread.ts'

/** `mention`: slackMention of names.ts. `command`: the slash command, with its slash. Unknown places are protected. */
export function slackRenderer(options: {
  readonly links: { readonly compare: string | null }
  readonly mention: (actor: Actor) => string
  readonly command: string
  readonly environments?: Environments
}): Renderer {
  const { mention, environments = () => undefined } = options
  return {
    main: facts => mainMessage(facts, options),
    thread: facts => threadEntries(facts, options),
    direct: (facts, at) => directMessage(facts, { ...options, reminder: at.reminder }),
    notice: notice => noticeMessage(notice, options),
    build: {
      main: facts => buildMessage(facts, { environments }),
      thread: facts => buildThread(facts, { mention, environments }),
    },
  }
}
