// Pure: text → Command and back. The grammar is command/grammar.ts, from which help is generated too (command/help.ts).
// Slack's own escapes are taken off before, by the surface. Whether it may be done is the core's to say.
import { type Filled, fill } from './command/fill.ts'
import { fillBuild, isAboutBuilds, printedParameters, printedWord } from './command/fill-build.ts'
import { type CommandName, commandNamed, commandNames, grammar, type Slot } from './command/grammar.ts'
import { type Known, lacking, Refused } from './command/refusal.ts'
import { plain, type Word, wordsOf } from './command/words.ts'
import { suggest } from './suggest.ts'

type Place = { readonly app: string; readonly environment: string }
type Why = { readonly reason: string | null }
export type Command =
  | ({ readonly kind: 'deploy' } & Parts & Why)
  | ({ readonly kind: 'plan' } & Parts)
  | ({ readonly kind: 'promote'; readonly app: string; readonly from: string; readonly to: string } & Why)
  | ({ readonly kind: 'rollback'; readonly revision: string | null } & Place & Why)
  | ({ readonly kind: 'scale'; readonly replicas: number | null } & Place & Why)
  | ({ readonly kind: 'restart' } & Place & Why)
  | ({ readonly kind: 'cancel'; readonly id: string | null } & Partial2<Place> & Why)
  | ({ readonly kind: 'delete' } & Place)
  | ({ readonly kind: 'status' | 'volumes' } & Partial2<Place>)
  | ({ readonly kind: 'delete-volume'; readonly storage: string } & Place)
  | ({ readonly kind: 'pods' } & Place)
  | ({
      readonly kind: 'logs'
      readonly pod: string | null
      readonly previous: boolean
      readonly tail: number | null
    } & Place)
  | { readonly kind: 'history'; readonly app: string; readonly environment: string | null }
  | ({ readonly kind: 'lock'; readonly duration: string | null } & Partial2<Place> & Why)
  | ({ readonly kind: 'unlock' } & Partial2<Place> & Why)
  | ({ readonly kind: 'freeze'; readonly environment: string; readonly duration: string | null } & Why)
  | ({ readonly kind: 'unfreeze'; readonly environment: string } & Why)
  | { readonly kind: 'build'; readonly job: string | null; readonly parameters: Parameters }
  | { readonly kind: 'builds'; readonly job: string | null; readonly app: string | null }
  | ({ readonly kind: 'stop-build'; readonly job: string; readonly number: number | null } & Why)
  /** Without an app: all of them. Without events: the usual ones. */
  | { readonly kind: 'subscribe'; readonly app: string | null; readonly events: Events | null }
  | { readonly kind: 'unsubscribe'; readonly app: string | null }
  | { readonly kind: 'list' | 'locks' | 'approvals' | 'whoami' | 'doctor' }
  | { readonly kind: 'subscriptions' }
  | { readonly kind: 'help'; readonly command: CommandName | null }
/** What a deploy or a plan names; what is null is asked for in a dialog. */
export type Parts = {
  readonly app: string | null
  readonly revision: string | null
  readonly environment: string | null
}
type Parameters = Readonly<Record<string, string>>
type Events = 'all' | 'changes' | 'failures'
type Partial2<T> = { readonly [K in keyof T]: T[K] | null }

export type Parsed =
  | { readonly kind: 'command'; readonly command: Command }
  /** In words that say what to type; `about`: the command it was meant for, where that is known. */
  | { readonly kind: 'refused'; readonly message: string; readonly about: CommandName | null }

const longest = 4000

/** `say` goes before examples: `/gkube `. Never throws. */
export function parseCommand(text: string, known: Known, say = ''): Parsed {
  if (text.length > longest)
    return refused(`That is too long: ${text.length} characters, ${longest} at most.`)
  const clean = plain(text)
  const words = wordsOf(clean)
  const [first] = words
  if (!first) return { kind: 'command', command: { kind: 'help', command: null } }
  // `roll back`, `who am i`: a name may be written as several words.
  const length = nameLength(words, known)
  const name = commandNamed(nameOf(words.slice(0, length)))
  if (!name) return refused(notACommand(first.bare || first.raw, known, say))
  const rest = words.slice(length)
  try {
    if (rest.some(word => word.raw === '--help' || word.raw === '-h'))
      return { kind: 'command', command: { kind: 'help', command: name } }
    const at = { text: clean, known, say }
    const values = isAboutBuilds(name) ? fillBuild(name, rest, at) : fill(name, rest, at)
    const filled = withOnlyEnvironment(name, values, known)
    const lost = lacking(name, filled, { known, say })
    if (lost) return refused(lost, name)
    return { kind: 'command', command: commandOf(name, filled) }
  } catch (error) {
    if (error instanceof Refused) return refused(error.message, name)
    throw error
  }
}

/** The longest that is a command, `stop build`; but `stop build in production` where an app is called so. */
function nameLength(words: readonly Word[], known: Known): number {
  const is = (n: number) => words.length >= n && commandNamed(nameOf(words.slice(0, n))) !== null
  const isApp = known.apps?.includes(words[1]?.bare.toLowerCase() ?? '') && is(1)
  return (isApp ? [1] : [3, 2, 1]).find(is) ?? 0
}

const nameOf = (words: readonly Word[]): string => words.map(word => word.bare).join('-')

const refused = (message: string, about: CommandName | null = null): Parsed => ({
  kind: 'refused',
  message,
  about,
})

function notACommand(word: string, known: Known, say: string): string {
  const shown = word.slice(0, 80)
  const lower = word.toLowerCase()
  if (known.apps?.includes(lower))
    return `Say what to do with \`${lower}\`: \`${say}status ${lower}\` or \`${say}deploy ${lower}\`. All commands: \`${say}help\``
  const near = suggest(lower, commandNames)
  return `\`${shown}\` is not a command. ${near ? `Did you mean \`${near}\`? ` : ''}All commands: \`${say}help\``
}

/** Where there is one environment, nobody has to name it; what names a lock must be said all the same. */
function withOnlyEnvironment(name: CommandName, values: Filled, { environments }: Known): Filled {
  const [only, more] = environments
  const filled = grammar[name].takes.environment === 'must' && values.environment === undefined
  return filled && only !== undefined && more === undefined && name !== 'freeze' && name !== 'unfreeze'
    ? { ...values, environment: only }
    : values
}

/** `lacking` has proven that what must be there is there. */
function commandOf(kind: CommandName, values: Filled): Command {
  const text = (slot: Slot): string => values[slot] ?? ''
  const maybe = (slot: Slot): string | null => values[slot] ?? null
  const place = { app: text('app'), environment: text('environment') }
  const anywhere = { app: maybe('app'), environment: maybe('environment') }
  const reason = maybe('reason')
  switch (kind) {
    case 'deploy':
      return { kind, ...anywhere, revision: maybe('revision'), reason }
    case 'plan':
      return { kind, ...anywhere, revision: maybe('revision') }
    case 'promote':
      return { kind, app: place.app, from: text('from'), to: text('to'), reason }
    case 'rollback':
      return { kind, ...place, revision: maybe('revision'), reason }
    case 'scale':
      return {
        kind,
        ...place,
        replicas: values.replicas === undefined ? null : Number(values.replicas),
        reason,
      }
    case 'restart':
      return { kind, ...place, reason }
    case 'cancel':
      return { kind, ...anywhere, id: maybe('id'), reason }
    case 'delete':
    case 'pods':
      return { kind, ...place }
    case 'logs': {
      const tail = values.tail === undefined ? null : Number(values.tail)
      return { kind, ...place, pod: maybe('pod'), previous: values.previous !== undefined, tail }
    }
    case 'history':
      return { kind, app: place.app, environment: anywhere.environment }
    case 'status':
    case 'volumes':
      return { kind, ...anywhere }
    case 'delete-volume':
      return { kind, ...place, storage: text('storage') }
    case 'lock':
      return { kind, ...anywhere, duration: maybe('duration'), reason }
    case 'unlock':
      return { kind, ...anywhere, reason }
    case 'freeze':
      return {
        kind,
        environment: place.environment,
        duration: maybe('duration'),
        reason,
      }
    case 'unfreeze':
      return { kind, environment: place.environment, reason }
    case 'build':
      return { kind, job: maybe('job'), parameters: JSON.parse(values.parameters ?? '{}') }
    case 'builds':
      return { kind, job: maybe('job'), app: anywhere.app }
    case 'stop-build': {
      const number = values.number === undefined ? null : Number(values.number)
      return { kind, job: text('job'), number, reason }
    }
    case 'subscribe':
      // fill.ts takes nothing else for it.
      return { kind, app: anywhere.app, events: maybe('events') as Events | null }
    case 'unsubscribe':
      return { kind, app: anywhere.app }
    case 'help':
      return { kind, command: values.command === undefined ? null : commandNamed(values.command) }
    default:
      return { kind }
  }
}

/** The text that parses to this command: as people would write it, or with options where that could be misread. */
export function printCommand(command: Command, known: Known): string {
  const natural = naturalText(command)
  const parsed = parseCommand(natural, known)
  return parsed.kind === 'command' && same(parsed.command, command) ? natural : optionText(command)
}

const same = (a: Command, b: Command): boolean => JSON.stringify(a) === JSON.stringify(b)

function naturalText(command: Command): string {
  const parts = valuesOf(command)
  const word = (slot: Slot, before = ''): string[] => {
    const value = parts[slot]
    return value === undefined ? [] : [`${before}${value}`]
  }
  const { place = 'in', reason } = grammar[command.kind]
  return [
    command.kind,
    ...word('command'),
    ...word('id'),
    ...(parts.job === undefined ? [] : [printedWord(parts.job)]),
    ...word('number'),
    ...printedParameters(parts.parameters),
    ...word('storage'),
    ...word('app', parts.storage === undefined ? '' : 'of '),
    ...word('events'),
    ...(parts.everything === undefined ? [] : ['all']),
    ...word('replicas', 'to '),
    ...word('revision', command.kind === 'rollback' ? 'to ' : ''),
    ...word('from', 'from '),
    ...word('to', 'to '),
    ...(['app', 'revision'].some(slot => parts[slot as Slot]) || command.kind === 'status'
      ? word('environment', `${place} `)
      : word('environment')),
    ...word('pod'),
    ...(parts.previous === undefined ? [] : ['--previous']),
    ...word('tail', '--tail '),
    ...word('duration', 'for '),
    ...word('reason', reason === 'marked' ? 'because ' : ''),
  ].join(' ')
}

/** Nothing to misread: every value with its name, the reason last and quoted. */
function optionText(command: Command): string {
  const options = Object.entries(valuesOf(command)).map(([slot, value]) => {
    const name = optionNames[slot as Slot] ?? slot
    if (slot === 'everything' || slot === 'previous') return `--${name}`
    if (slot === 'parameters') return printedParameters(value).join(' ')
    if (slot === 'job') return `--job ${printedWord(value)}`
    return slot === 'reason' ? `--reason "${value}"` : `--${name} ${value}`
  })
  return [command.kind, ...options].join(' ')
}
const optionNames: Partial<Record<Slot, string>> = {
  environment: 'env',
  duration: 'for',
  everything: 'all',
}

const slotText = (value: unknown): string =>
  value === true ? 'yes' : typeof value === 'object' ? JSON.stringify(value) : String(value)

/** The slots of a command, the reason last. */
function valuesOf(command: Command): Filled {
  const { kind, ...fields } = command
  const values: Partial<Record<Slot, string>> = {}
  for (const [slot, value] of Object.entries(fields))
    if (value !== null && value !== false) values[slot as Slot] = slotText(value)
  const everywhere = (kind === 'lock' || kind === 'unlock') && !values.environment
  const { reason, ...others } = values
  return {
    ...others,
    ...(everywhere ? { everything: 'yes' } : {}),
    ...(reason === undefined ? {} : { reason }),
  }
}
