// Help, generated from the grammar that parses (grammar.ts): what a command takes, what it does, how it is written.
import {
  type CommandName,
  commandNames,
  type Entry,
  grammar,
  groups,
  optionSlots,
  type Slot,
} from './grammar.ts'

export type Help = {
  readonly command: CommandName
  /** `deploy [app] [revision] [to environment]`, without the slash command. */
  readonly usage: string
  readonly summary: string
  readonly examples: readonly string[]
  readonly aliases: readonly string[]
  /** `--env`, where a word could be read in two ways. */
  readonly options: readonly string[]
  readonly group: string
}

/** Help about one command. */
export function helpOf(command: CommandName): Help {
  const entry = grammar[command]
  return {
    command,
    usage: [
      command,
      ...Object.entries(entry.takes).map(([slot, need]) => usageOf(slot as Slot, need, entry)),
    ].join(' '),
    summary: entry.summary,
    examples: entry.examples,
    aliases: entry.aliases ?? [],
    options: Object.entries(optionSlots).flatMap(([option, slot]) =>
      slot in entry.takes ? [`--${option}`] : [],
    ),
    group: groups[entry.group],
  }
}

/** Help about all commands, in the order of the groups. */
export const helpOfAll = (): readonly Help[] =>
  Object.keys(groups).flatMap(group => commandNames.filter(name => grammar[name].group === group).map(helpOf))

function usageOf(slot: Slot, need: 'must' | 'may', entry: Entry): string {
  const value = need === 'must' ? `<${slot}>` : slot
  const text = textOf(slot, value, entry)
  return need === 'must' ? text : `[${text}]`
}

function textOf(slot: Slot, value: string, entry: Entry): string {
  switch (slot) {
    case 'environment':
      return `${entry.place ?? 'in'} ${value}`
    case 'from':
    case 'to':
      return `${slot} ${value.replace(slot, 'environment')}`
    case 'replicas':
      return `to ${value.replace('replicas', 'number')}`
    case 'reason':
      return entry.reason === 'marked' ? `because ${value}` : value
    case 'duration':
      return `for ${value}`
    case 'everything':
      return 'all'
    case 'previous':
    case 'tail':
      return slot === 'tail' ? '--tail lines' : '--previous'
    case 'parameters':
      return 'name=value …'
    case 'app':
      return entry.takes.storage ? `of ${value}` : value
    case 'events':
      return 'all|changes|failures'
    default:
      return value
  }
}
