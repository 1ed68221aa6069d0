// The words of commands about Jenkins builds → what they take (grammar.ts): a job, parameters (`NOTE="a new start"`), a
// number. Read with their quotes (quoted-words.ts), not by the shape of single words as in fill.ts.
import { suggest, unknownName } from '../suggest.ts'
import type { Filled } from './fill.ts'
import { type CommandName, grammar, optionSlots, type Slot } from './grammar.ts'
import { restOf, type Token, tokensOf, typed, typedName } from './quoted-words.ts'
import { example, type Known, Refused } from './refusal.ts'
import type { Word } from './words.ts'

type BuildCommand = Extract<CommandName, 'build' | 'builds' | 'stop-build'>
type At = { readonly text: string; readonly known: Known; readonly say: string }

export const isAboutBuilds = (name: CommandName): name is BuildCommand =>
  name === 'build' || name === 'builds' || name === 'stop-build'

const noise = new Set(['of', 'the', 'job', 'build', 'please', 'with', 'and', 'parameter', 'parameters', '-p'])
const because = new Set(['because', 'because:', 'reason:'])
const mostParameters = 100

const refuse = (message: string): never => {
  throw new Refused(message)
}
const shown = (word: string): string => word.slice(0, 80).replaceAll('`', "'")
/** What editors put around a name. */
const bare = (word: string): string => word.replace(/^[`*~]+|[`*~,;]+$/g, '') || word

/** Values of what a command takes. Throws Refused. */
export function fillBuild(name: BuildCommand, words: readonly Word[], at: At): Filled {
  const tokens = tokensOf(at.text, words[0]?.at ?? at.text.length)
  const filling = fillingOf(name, tokens, at)
  for (let i = 0; i < tokens.length; ) {
    if (tokens[i]?.open) refuse(`A quote (") is opened and not closed. ${example(name, at.say)}`)
    i += filling.option(i) || filling.reason(i) || filling.parameter(i) || filling.bare(i)
  }
  return filling.end()
}

/** Each reader tells how many tokens it took; 0: not mine. */
function fillingOf(name: BuildCommand, tokens: readonly Token[], { text, known, say }: At) {
  const { takes } = grammar[name]
  const values: Partial<Record<Slot, string>> = {}
  const parameters = new Map<string, string>()
  const type = example(name, say)

  function set(slot: Slot, value: string): void {
    const before = values[slot]
    if (before !== undefined && before !== value)
      refuse(`\`${shown(before)}\` and \`${shown(value)}\` are both given. Name one. ${type}`)
    values[slot] = value
  }

  function reasonAt(from: number | undefined): number {
    const rest = restOf(text, from)
    if (rest.length > 500) refuse(`A reason has at most 500 characters; this one has ${rest.length}.`)
    if (rest) values.reason = rest
    return tokens.length
  }

  /** `--job shop/web`, `--reason all that follows`. */
  function option(i: number): number {
    const { text: word, quoted, at } = tokens[i] as Token // i is below the length
    const [, key, assigned, inline] = quoted ? [] : (/^--([a-z-]+)(=(.*))?$/is.exec(word) ?? [])
    if (key === undefined) return 0
    const slot = optionSlots[key.toLowerCase()]
    if (!slot || !(slot in takes))
      return refuse(`\`--${shown(key)}\` is not an option of \`${name}\`. ${type}`)
    if (slot === 'reason') return reasonAt(assigned === undefined ? tokens[i + 1]?.at : at + key.length + 3)
    const value = assigned === undefined ? tokens[i + 1]?.text : inline
    set(slot, value || refuse(`\`--${key}\` needs a value. ${type}`))
    return assigned === undefined ? 2 : 1
  }

  function reason(i: number): number {
    const { text: word, quoted } = tokens[i] as Token
    return 'reason' in takes && !quoted && because.has(word.toLowerCase()) ? reasonAt(tokens[i + 1]?.at) : 0
  }

  /** `BRANCH=main`, once the job is named: a job's name may hold an equals sign too. */
  function parameter(i: number): number {
    const { text: word } = tokens[i] as Token
    const at = word.indexOf('=')
    if (!('parameters' in takes) || values.job === undefined || at < 1) return 0
    const key = bare(word.slice(0, at))
    const value = word.slice(at + 1)
    if ((parameters.get(key) ?? value) !== value) refuse(`\`${shown(key)}\` is given twice. Name it once.`)
    parameters.set(key, value)
    if (parameters.size > mostParameters) refuse(`More than ${mostParameters} parameters are too many.`)
    return 1
  }

  function bareWord(i: number): number {
    const { text: word, quoted } = tokens[i] as Token
    const named = values.job !== undefined || values.app !== undefined
    // What stands alone is the name of a job, whatever else it means.
    const isNoise = !quoted && noise.has(word.toLowerCase()) && (named || i + 1 < tokens.length)
    if (isNoise) return 1
    if (!named && 'number' in takes && /^#\d+$/.test(word)) set('number', word.slice(1))
    else if (!named) target(word)
    else if ('number' in takes && /^#?\d+$/.test(word)) set('number', word.replace('#', ''))
    else if ('parameters' in takes)
      refuse(
        `\`${shown(word)}\` is not a parameter: write \`NAME=value\`, with quotes around a value that has spaces. ${type}`,
      )
    else refuse(`\`${shown(word)}\` is too much for \`${name}\`. ${type}`)
    return 1
  }

  /** `shop/web`, `shop/web#214`, the name of an app. */
  function target(word: string): void {
    const [, job, number] = 'number' in takes ? (/^(.+)#(\d+)$/.exec(word) ?? []) : []
    if (number !== undefined) set('number', number)
    const path = bare(job ?? word)
    if (name === 'builds' && !path.includes('/')) appOrJob(path)
    else set('job', path)
  }

  /** Without a list of apps a word alone is the name of one: that is what people look for. */
  function appOrJob(word: string): void {
    const lower = word.toLowerCase()
    if (known.apps === null || known.apps.includes(lower)) set('app', lower)
    else if (suggest(lower, known.apps)) refuse(unknownName('app', word, known.apps))
    else set('job', word)
  }

  function end(): Filled {
    if (parameters.size > 0) values.parameters = JSON.stringify(Object.fromEntries(parameters))
    return values
  }
  return { option, reason, parameter, bare: bareWord, end }
}

/** The slots as they must be typed: quoted where they could be read as something else. */
export const printedWord = (word: string): string =>
  /^[\w./%@+-]+$/.test(word) && !word.startsWith('-') && !isWord(word) ? word : typedName(word)
const isWord = (word: string): boolean => noise.has(word.toLowerCase()) || because.has(word.toLowerCase())

/** `parameters` as the slot has them. */
export const printedParameters = (json: string | undefined): string[] =>
  json === undefined
    ? []
    : Object.entries(JSON.parse(json) as Record<string, string>).map(
        ([name, value]) => `${name}=${typed(value)}`,
      )
