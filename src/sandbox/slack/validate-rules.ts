// The words in which the Block Kit tables are written: small rules that report what is wrong and where, in Slack's
// own sentences (`must be less than 3001 characters [json-pointer:/blocks/0/text/text]`).
// The tables: validate-elements.ts, validate-blocks.ts. The entry: validate.ts.

export type Report = (at: string, problem: string) => void
export type Rule = (value: unknown, at: string, report: Report) => void
type Fields = Readonly<Record<string, Rule>>

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A string of `min` (default 1) to `max` characters, matching `pattern`. */
export const string =
  (max: number, options: { min?: number; pattern?: RegExp } = {}): Rule =>
  (value, at, report) => {
    if (typeof value !== 'string') return report(at, 'must be a string')
    if (value.length > max) report(at, `must be less than ${max + 1} characters`)
    if (value.length < (options.min ?? 1))
      report(at, `must be more than ${(options.min ?? 1) - 1} characters`)
    else if (options.pattern && !options.pattern.test(value))
      report(at, `must match: ${options.pattern.source}`)
  }

export const url = (max = 3000): Rule => string(max, { pattern: /^(https?|slack):\/\/\S+$/ })

export const flag: Rule = (value, at, report) => {
  if (typeof value !== 'boolean') report(at, 'must be a boolean')
}

export const integer =
  (min: number, max: number): Rule =>
  (value, at, report) => {
    if (!Number.isInteger(value)) return report(at, 'must be an integer')
    if ((value as number) < min) report(at, `must be at least ${min}`) // isInteger said that it is a number
    if ((value as number) > max) report(at, `must be at most ${max}`)
  }

export const choice =
  (...values: readonly string[]): Rule =>
  (value, at, report) => {
    if (typeof value !== 'string' || !values.includes(value))
      report(at, `must be one of: ${values.join(', ')}`)
  }

export const anything: Rule = () => undefined

export const list =
  (item: Rule, min: number, max: number): Rule =>
  (value, at, report) => {
    if (!Array.isArray(value)) return report(at, 'must be an array')
    if (value.length > max) report(at, `no more than ${max} items allowed`)
    if (value.length < min) report(at, `must contain at least ${min} item${min === 1 ? '' : 's'}`)
    for (const [index, one] of value.entries()) item(one, `${at}/${index}`, report)
  }

/** An object with these fields and no others; `more` looks at it as a whole, when its fields are right. */
export const shape =
  (
    required: Fields,
    optional: Fields = {},
    more?: (value: Record<string, unknown>, at: string, report: Report) => void,
  ): Rule =>
  (value, at, report) => {
    if (!isObject(value)) return report(at, 'must be an object')
    for (const [name, rule] of Object.entries(required)) {
      if (value[name] === undefined || value[name] === null) report(at, `missing required field: ${name}`)
      else rule(value[name], `${at}/${name}`, report)
    }
    for (const [name, rule] of Object.entries(optional)) {
      if (value[name] !== undefined) rule(value[name], `${at}/${name}`, report)
    }
    for (const name of Object.keys(value)) {
      if (value[name] !== undefined && !Object.hasOwn(required, name) && !Object.hasOwn(optional, name))
        report(at, `invalid additional property: ${name}`)
    }
    more?.(value, at, report)
  }

/** Picks the rule by the object's `type`; the rule need not mention it. */
export const byType =
  (table: Readonly<Record<string, Rule>>): Rule =>
  (value, at, report) => {
    if (!isObject(value)) return report(at, 'must be an object')
    if (value.type === undefined) return report(at, 'missing required field: type')
    const rule =
      typeof value.type === 'string' && Object.hasOwn(table, value.type) ? table[value.type] : undefined
    if (!rule) return report(`${at}/type`, `unsupported type: ${String(value.type)}`)
    const { type: _, ...rest } = value
    rule(rest, at, report)
  }

/** Exactly one of these fields. */
export const exactlyOne =
  (...names: readonly string[]) =>
  (value: Record<string, unknown>, at: string, report: Report) => {
    const given = names.filter(name => value[name] !== undefined)
    if (given.length !== 1) report(at, `must have exactly one of: ${names.join(', ')}`)
  }

export const plainText = (max: number): Rule =>
  byType({ plain_text: shape({ text: string(max) }, { emoji: flag }) })

export const anyText = (max: number): Rule =>
  byType({
    plain_text: shape({ text: string(max) }, { emoji: flag }),
    mrkdwn: shape({ text: string(max) }, { verbatim: flag }),
  })
