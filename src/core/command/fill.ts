// Puts the words of a command into what it takes (grammar.ts). Words come in any order as far as they can be told
// apart: by the names of apps and environments, by their shape, by the word before them. What cannot be told apart can
// be given by name (`--env production`). Never guesses a target; what is missing is said in refusal.ts.
import { suggest, unknownName } from '../suggest.ts'
import { label } from '../units.ts'
import {
  type CommandName,
  commandNamed,
  commandNames,
  flags,
  grammar,
  optionSlots,
  type Slot,
} from './grammar.ts'
import { example, type Known, Refused, slotWords } from './refusal.ts'
import { durationAt, durationOf, unquoted, type Word } from './words.ts'

export type Filled = Readonly<Partial<Record<Slot, string>>>
type At = { readonly text: string; readonly known: Known; readonly say: string }

const places = new Set(['in', 'into', 'on', 'at', '@'])
const noise = new Set([
  'of', 'the', 'app', 'please', 'version', 'revision', 'with', 'replica', 'replicas', 'pod', 'pods', 'instances', 'and',
]) // biome-ignore format: a list
/** `subscribe to web`, `unsubscribe from web`: nothing is told by it. */
const idle: Partial<Record<CommandName, string>> = { subscribe: 'to', unsubscribe: 'from' }
const because = new Set(['because', 'because:', 'reason:', ':', '-', '--', '–', '—'])
const all = new Set(['all', 'everything', 'everywhere'])
const events = new Set(['all', 'changes', 'failures'])
const deployId = /^[0-9a-hjkmnp-tv-z]{26}$/

const refuse = (message: string): never => {
  throw new Refused(message)
}

/** Values of what a command takes. `text` is the whole, for reasons that are kept as written. Throws Refused. */
export function fill(name: CommandName, words: readonly Word[], at: At): Filled {
  const filling = fillingOf(name, words, at)
  const free = grammar[name].reason === 'free'
  for (let i = 0; i < words.length; ) {
    if (free && filling.targeted(i)) {
      filling.remainder(i)
      break
    }
    i += filling.option(i) || filling.preposition(i) || filling.bare(i)
  }
  return filling.end()
}

/** The words of one command on their way into its slots. Each reader tells how many words it took; 0: not mine. */
function fillingOf(name: CommandName, words: readonly Word[], { text, known, say }: At) {
  const { takes, reason: reasonKind } = grammar[name]
  const values: Partial<Record<Slot, string>> = {}
  const left: string[] = []
  const wants = (slot: Slot) => slot in takes
  const open = (slot: Slot) => wants(slot) && values[slot] === undefined
  const isApp = (word: string) => known.apps?.includes(word) ?? false
  const isEnvironment = (word: string) => known.environments.includes(word)
  const lowerAt = (i: number) => words[i]?.bare.toLowerCase() ?? ''

  function set(slot: Slot, value: string): void {
    const before = values[slot]
    if (before !== undefined && before !== value)
      refuse(
        `\`${before}\` and \`${value}\` are both given as ${slotWords[slot]}. Name one. ${example(name, say)}`,
      )
    values[slot] = value
  }

  /** A value that is said to be one: only its shape is checked. */
  function read(slot: Slot, value: string): string {
    const lower = value.toLowerCase()
    switch (slot) {
      case 'app':
        if (known.apps !== null) return isApp(lower) ? lower : refuse(unknownName('app', value, known.apps))
        if (label(40).safeParse(lower).success) return lower
        return refuse(
          `\`${value.slice(0, 80)}\` is not an app: names are of lower-case letters, digits and dashes. ${example(name, say)}`,
        )
      case 'environment':
      case 'from':
      case 'to':
        return isEnvironment(lower) ? lower : refuse(unknownName('environment', value, known.environments))
      case 'duration':
        return durationOf(value) ?? refuse(`\`${value}\` is not a duration. Type \`30m\`, \`2h\` or \`3d\`.`)
      case 'events':
        return events.has(lower) ? lower : refuse(unknownName('choice', value, [...events]))
      case 'command':
        return commandNamed(value) ?? refuse(unknownName('command', value, commandNames))
      default:
        return value
    }
  }
  const named = (slot: Slot, value: string): void => set(slot, read(slot, value))

  function reasonAt(begin: number | undefined): void {
    const rest = begin === undefined ? '' : unquoted(text.slice(begin).trim())
    if (rest.length > 500) refuse(`A reason has at most 500 characters; this one has ${rest.length}.`)
    if (rest) values.reason = rest
  }

  /** `--env production`, `--env=production`, `--reason all that follows`. */
  function option(i: number): number {
    const [, key, assigned, inline = ''] = /^--([a-z-]+)(=(.*))?$/i.exec(words[i]?.raw ?? '') ?? []
    if (!key) return 0
    const slot = optionSlots[key.toLowerCase()]
    if (!slot || !wants(slot)) return notAnOption(key)
    if (flags.has(slot)) {
      set(slot, 'yes')
      return 1
    }
    const given = assigned !== undefined
    if (slot === 'reason') {
      reasonAt(given ? (words[i]?.at ?? 0) + key.length + 3 : words[i + 1]?.at)
      return words.length
    }
    named(slot, (given ? inline : words[i + 1]?.bare) || needsValue(key))
    return given ? 1 : 2
  }
  const needsValue = (key: string): never => refuse(`\`--${key}\` needs a value. ${example(name, say)}`)
  function notAnOption(key: string): never {
    const mine = Object.entries(optionSlots).flatMap(([option, slot]) => (wants(slot) ? [`--${option}`] : []))
    const near = suggest(`--${key}`, mine)
    return refuse(
      `\`--${key}\` is not an option of \`${name}\`. ${near ? `Did you mean \`${near}\`?` : example(name, say)}`,
    )
  }

  /** A word that says what the next one is. */
  function preposition(i: number): number {
    const next = words[i + 1]
    if (!next?.bare) return 0
    const word = lowerAt(i)
    if (places.has(word) && wants('environment')) named('environment', next.bare)
    else if (places.has(word) && wants('to')) named('to', next.bare)
    else if (word === 'from' && wants('from')) named('from', next.bare)
    else if (word === 'to') return to(next.bare) ? 2 : 0
    else if (because.has(word) && reasonKind === 'marked') {
      reasonAt(next.at)
      return words.length
    } else return 0
    return 2
  }
  /** `to production`, `to 3`, `to 1.4.1`. */
  function to(next: string): boolean {
    const lower = next.toLowerCase()
    if (wants('to')) named('to', next)
    else if (wants('replicas') && /^\d+$/.test(next)) set('replicas', next)
    else if (wants('environment') && isEnvironment(lower)) set('environment', lower)
    else if (open('revision') && (name === 'rollback' || /\d/.test(next))) set('revision', next)
    else if (wants('environment')) named('environment', next)
    else return false
    return true
  }

  /** What a word is by itself, the surest first. */
  const kinds: readonly (readonly [Slot, (lower: string) => boolean])[] = [
    ['app', lower => open('app') && isApp(lower)],
    ['environment', lower => open('environment') && isEnvironment(lower)],
    ['from', lower => open('from') && isEnvironment(lower)],
    ['to', lower => open('to') && isEnvironment(lower)],
    ['id', lower => wants('id') && deployId.test(lower)],
    ['everything', lower => wants('everything') && all.has(lower)],
    ['replicas', lower => wants('replicas') && /^\d+$/.test(lower)],
    ['events', lower => open('events') && events.has(lower)],
    ['command', () => wants('command')],
  ]
  function bare(i: number): number {
    const word = words[i]?.bare ?? ''
    const lower = word.toLowerCase()
    const kind = kinds.find(([, is]) => is(lower))?.[0]
    if (placed(word)) return 1
    if (kind) named(kind, kind === 'everything' ? 'yes' : lower)
    else if (!tagged(word) && lower && !noise.has(lower) && lower !== idle[name]) left.push(word)
    return 1
  }
  /** `staging/web/data`, as tables show it. */
  function placed(word: string): boolean {
    const [environment, app, storage, ...more] = word.split('/')
    if (!wants('storage') || !environment || !app || !storage || more.length > 0) return false
    named('environment', environment)
    named('app', app)
    set('storage', storage)
    return true
  }
  /** `web:1.4.2`, `web@1.4.2`. */
  function tagged(word: string): boolean {
    const [, app = '', tag] = /^([^:@=]+)[:@=](.+)$/.exec(word) ?? []
    if (!tag || !open('app') || !open('revision') || !isApp(app.toLowerCase())) return false
    set('app', app.toLowerCase())
    set('revision', tag)
    return true
  }

  /** True where the target is named and the word does not narrow it (`lock production web`): now comes the reason. */
  function targeted(i: number): boolean {
    if (!values.id && !values.everything && !values.environment) return false
    const lower = lowerAt(i)
    if (/^--[a-z]/i.test(words[i]?.raw ?? '')) return false
    if (open('app') && isApp(lower) && !values.everything) return false
    return !(places.has(lower) && open('environment') && isEnvironment(lowerAt(i + 1)))
  }

  /** After the target: how long, then why. */
  function remainder(from: number): void {
    let next = from
    if (open('duration')) {
      const marked = lowerAt(next) === 'for' ? 1 : 0
      const found = durationAt(words.slice(next + marked))
      if (found) values.duration = found.text
      if (found) next += found.words + marked
      else if (lowerAt(next) === 'until')
        refuse(
          `Say how long instead of until when: \`for 90m\`, \`for 2h\` or \`for 3d\`. ${example(name, say)}`,
        )
    }
    if (because.has(words[next]?.raw.toLowerCase() ?? '')) next++
    reasonAt(words[next]?.at)
  }

  /** Words that no name and no shape told: a pod, a revision, or a slip. */
  function end(): Filled {
    takePod()
    takeApp()
    if (open('storage') && left.length > 0) values.storage = left.shift()?.toLowerCase()
    takeRevision()
    const [first] = left
    if (first === undefined) return values
    if (open('environment') || open('from') || open('to'))
      refuse(unknownName('environment', first, known.environments))
    return refuse(`\`${first}\` is too much for \`${name}\`. ${example(name, say)}`)
  }

  function takeApp(): void {
    if (open('app') && known.apps === null && label(40).safeParse(left[0]?.toLowerCase()).success)
      values.app = left.shift()?.toLowerCase()
    // One word alone is the storage; refusal.ts asks of which app.
    if (open('app') && left.length > (open('storage') ? 1 : 0)) missedApp()
  }

  function takeRevision(): void {
    const word = open('revision') ? left.shift() : undefined
    if (word === undefined) return
    if (open('environment') && !/\d/.test(word) && suggest(word.toLowerCase(), known.environments))
      refuse(unknownName('environment', word, known.environments))
    values.revision = word
  }

  /** `web-7c9d-x2x1` is a pod of web. */
  function takePod(): void {
    const { app } = values
    const at = app && open('pod') ? left.findIndex(word => word.startsWith(`${app}-`)) : -1
    if (at >= 0) values.pod = left.splice(at, 1)[0]
  }

  /** An app is wanted and no word is one: the slip among them, or a revision that came alone. */
  function missedApp(): void {
    const apps = known.apps ?? []
    const near = left.find(word => suggest(word.toLowerCase(), apps))
    const wrong = near ?? left[0] ?? ''
    if (near) refuse(`${unknownName('app', wrong, apps)} All apps: \`${say}list\``)
    if (left.length === 1 && open('revision') && /\d/.test(wrong)) return
    if (open('environment') && suggest(wrong.toLowerCase(), known.environments))
      refuse(unknownName('environment', wrong, known.environments))
    refuse(unknownName('app', wrong, apps))
  }

  return { option, preposition, bare, targeted, remainder, end }
}
