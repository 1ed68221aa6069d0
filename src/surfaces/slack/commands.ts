// The slash command: text → command (core/command.ts) → one of the handlers in commands/ → an answer. The ack is the
// answer where it is there in time; else the answer follows by the response_url.
import type { App, SlackCommandMiddlewareArgs } from '@slack/bolt'
import type { Known } from '../../core/command/refusal.ts'
import { type Command, type Parsed, parseCommand } from '../../core/command.ts'
import type { Rendered } from '../../core/messages.ts'
import { UserError } from '../../errors.ts'
import { actOn } from './commands/acts.ts'
import type { Asked } from './commands/asked.ts'
import { aboutBuilds } from './commands/builds.ts'
import { lookAt } from './commands/looks.ts'
import { ask } from './commands/requests.ts'
import type { SlackDeps } from './deps.ts'
import { plainText } from './plain-text.ts'

/** Registers the one slash command; of another name nobody is told to be here (unhandled.ts). */
export function registerCommands(bolt: App, deps: SlackDeps): void {
  bolt.command(
    deps.config.command,
    deps.guarded<SlackCommandMiddlewareArgs>('command', async ({ command, ack }, call) => {
      const caller = await call.caller()
      const { command: slash } = deps.config
      const parsed = await read(deps, plainText(command.text ?? ''), caller)
      if (parsed.kind === 'refused') throw new UserError('bad_input', parsed.message)
      const at: Asked = {
        deps,
        call,
        caller,
        trigger: command.trigger_id,
        channel: command.channel_id,
        answerAt: { now: deps.clock.now(), command: slash },
        say: message =>
          call.acked() ? call.tell(message) : ack({ ...messageOf(message), response_type: 'ephemeral' }),
        acknowledge: () => ack(),
      }
      await handle(at, parsed.command)
    }),
  )
}

/** The ack wants Bolt's types of blocks; the renderers answer just those. */
const messageOf = ({ text, blocks }: Rendered) => ({ text, blocks: [...blocks] as never[] })

/** Names that were kept may lack the app that was just registered: then they are read again. */
async function read(deps: SlackDeps, text: string, caller: Asked['caller']): Promise<Parsed> {
  const environments = [...deps.environments.keys()]
  const say = `${deps.config.command} `
  // Who may see more than is known just now may name it: the core decides.
  const seen = caller.unsure === null ? await deps.names.seenBy(caller) : null
  const known: Known = { apps: seen, environments }
  const parsed = parseCommand(text, known, say)
  if (parsed.kind !== 'refused' || known.apps === null) return parsed
  const apps = await deps.names.seenBy(caller, { fresh: true })
  return apps === null ? parsed : parseCommand(text, { apps, environments }, say)
}

function handle(at: Asked, command: Command): Promise<void> {
  switch (command.kind) {
    case 'deploy':
    case 'promote':
    case 'rollback':
    case 'scale':
    case 'restart':
      return ask(at, command)
    case 'cancel':
    case 'delete':
    case 'delete-volume':
    case 'lock':
    case 'unlock':
    case 'freeze':
    case 'unfreeze':
      return actOn(at, command)
    case 'build':
    case 'builds':
    case 'stop-build':
    case 'subscribe':
    case 'unsubscribe':
    case 'subscriptions':
      return aboutBuilds(at, command)
    default:
      return lookAt(at, command)
  }
}
