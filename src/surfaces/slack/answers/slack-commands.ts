// The core's words name commands as the command line has them (`gkube history web`). In Slack a person types
// `/gkube history web`, and `to production` instead of `--environment production`. What Slack has no command for stays
// as it is: it is done on the command line. The grammar is in core/command.ts.

/** Verbs that both have. */
const verbs =
  'deploy|status|list|pods|logs|history|plan|promote|rollback|scale|restart|cancel|delete|locks?|unlock|freezes?|unfreeze|approvals|whoami|doctor|help'
const toWords = new Set(['deploy', 'plan', 'promote'])

const commands = new RegExp(
  `(?<![\\w/.-])gkube (app list|${verbs})\\b((?:[^\\S\\n]+(?:-E|--?[a-z]+|<[^<>\\n]*>|[\\w.…/-]+))*)`,
  'g',
)

/** The same text with commands as Slack has them; `command` is the slash command, with its slash. */
export function slackCommands(text: string, command: string): string {
  return text
    .replace(commands, (whole, verb: string, rest: string) => {
      // Only files and flags of the command line: there is no such thing in Slack.
      if (/(^|\s)-f\b|--(file|force|steal)\b/.test(rest)) return whole
      const name = verb === 'app list' ? 'list' : verb
      const place = toWords.has(name) ? 'to' : 'in'
      return `${command} ${name}${rest.replace(/(^|\s)(?:--environment|-E)(?=\s)/g, `$1${place}`).replace(/\s--([a-z]+)/g, ' $1')}`
    })
    .replace(/: --reason "…"/g, '.')
}
