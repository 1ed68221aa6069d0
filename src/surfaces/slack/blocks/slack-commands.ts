// The core's words name commands as the command line has them (`gkube history web`). In Slack a person types
// `/gkube history web`, and `to production` instead of `--environment production`. What Slack has no command for stays
// as it is: it is done on the command line. The grammar is core/command/grammar.ts.

/** Verbs that both have, and those that have another name here. */
const verbs =
  'deploy|status|list|pods|logs|history|plan|promote|rollback|scale|restart|cancel|delete|volumes|build|builds|stop-build|subscribe|unsubscribe|subscriptions|lock|unlock|freeze|unfreeze|locks|approvals|whoami|doctor|help'
const others: Readonly<Record<string, string>> = {
  'app list': 'list',
  'volumes delete': 'delete-volume',
}
const toWords: ReadonlySet<string> = new Set(['deploy', 'plan'])
/** What the core names without a place where it is clear on the command line. */
const placeless: ReadonlySet<string> = new Set(['logs', 'pods', 'history'])

const commands = new RegExp(
  `(?<![\\w/.-])gkube (app list|volumes delete|${verbs})\\b((?:[^\\S\\n]+(?:-E|-f|--[a-z]+|<[^<>\\n]*>|[\\w./-]*\\w))*)`,
  'g',
)

/** The same text with commands as Slack has them; where it speaks about one environment, commands name it. */
export function slackCommands(text: string, command: string, environment?: string): string {
  return text
    .replace(commands, (whole, verb: string, rest: string) => {
      // Files are on a person's machine: that is for the command line.
      if (/\s(-f|--file|--artifact|--type)(\s|$)/.test(rest)) return whole
      const name = others[verb] ?? verb
      const place = toWords.has(name) ? 'to' : 'in'
      const words = rest.trim().replace(/(^|\s)(?:--environment|-E)(?=\s)/g, `$1${place}`)
      return [command, name, placed(name, words, environment)].filter(Boolean).join(' ')
    })
    .replace(/: --reason "…"/g, ', as a comment')
    .replace(
      / To take it over: --steal\./g,
      ' To take it over: the dialog of lock without a reason offers it.',
    )
}

function placed(name: string, words: string, environment: string | undefined): string {
  const [app, ...rest] = words.split(' ')
  if (!environment || !app || !placeless.has(name) || rest.includes('in')) return words
  return [app, 'in', environment, ...rest].join(' ')
}
