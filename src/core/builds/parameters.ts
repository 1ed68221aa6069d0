// Pure: the values that a person gives for the parameters of a job or of a pipeline's input, checked against what
// Jenkins says it takes. Jenkins drops what it does not know without a word, so that is refused here, with a near miss.
import { UserError } from '../../errors.ts'
import { hidden, looksSecret } from '../mask.ts'
import { suggest } from '../suggest.ts'
import type { Parameter } from './build.ts'

/** All values of one build together, in characters: they stand in its record. */
const most = 32_768
/** As many choices as the contract carries: there may be more, which Jenkins then judges. */
const mostChoices = 200

type Given = Readonly<Record<string, string>>
export type Asking = {
  /** Who asks: `shop/web`, `The input`. */
  readonly what: string
  /** Where it can be done by hand. */
  readonly url: string | null
}

/** The values as Jenkins wants them. Throws UserError whose details name the parameter. */
export function checkParameters(
  taken: readonly Parameter[],
  given: Given,
  at: Asking,
): Record<string, string> {
  const known = new Map(taken.map(one => [one.name, one]))
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    const parameter = known.get(name)
    if (!parameter) throw refused(unknown(name, taken, at), name)
    // A name may be `__proto__`: it is a value like any other.
    Object.defineProperty(values, name, { value: checked(parameter, value, at), enumerable: true })
  }
  const size = Object.entries(values).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (size > most)
    throw new UserError(
      'too_large',
      `The parameters have ${size} characters together; ${most} at most. Put what is long into a file of the repository.`,
    )
  return values
}

const refused = (message: string, parameter: string): UserError =>
  new UserError('bad_input', message, { details: { parameter } })

function unknown(name: string, taken: readonly Parameter[], { what }: Asking): string {
  const shown = name.slice(0, 80)
  if (taken.length === 0)
    return `${what} takes no parameters, so \`${shown}\` means nothing to it. Leave it out.`
  const names = taken.map(one => one.name)
  // People know them in any case; Jenkins does not.
  const near = names.find(one => one.toLowerCase() === name.toLowerCase()) ?? suggest(name, names)
  const all = names.slice(0, 20).join(', ')
  return `\`${shown}\` is not a parameter of ${what}. ${near ? `Did you mean \`${near}\`?` : `It takes: ${all}.`}`
}

function checked(parameter: Parameter, value: string, at: Asking): string {
  const { name, type, choices } = parameter
  switch (type) {
    case 'password':
      throw refused(
        `${name} is a secret, and gkube keeps no secrets. Leave it out, or do it in Jenkins${linkTo(at)}.`,
        name,
      )
    case 'file':
      throw refused(`${name} is a file, which gkube cannot send. Do it in Jenkins${linkTo(at)}.`, name)
    case 'boolean': {
      const said = booleans[value.trim().toLowerCase()]
      if (said !== undefined) return said
      throw refused(`${name} is true or false, not \`${value.slice(0, 80)}\`.`, name)
    }
    case 'choice': {
      if (choices.includes(value) || choices.length >= mostChoices) return value
      const meant = choices.find(one => one.toLowerCase() === value.toLowerCase())
      if (meant !== undefined) return meant
      const near = suggest(value, choices)
      const all = choices.slice(0, 20).join(', ')
      throw refused(
        `\`${value.slice(0, 80)}\` is not a choice of ${name}. ${near ? `Did you mean \`${near}\`?` : `There is: ${all}${choices.length > 20 ? ', …' : ''}.`}`,
        name,
      )
    }
    default:
      return value
  }
}

/** `NAME=value …` for the audit, which keeps no secrets. */
export const shownParameters = (values: Given): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${looksSecret(name, value) ? hidden : value}`)
    .join(' ')

/** Without those that were hidden: nobody sends them back. */
export const knownParameters = (values: Given): Given =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== hidden))

const linkTo = ({ url }: Asking): string => (url ? `: ${url}` : '')

const booleans: Readonly<Record<string, string>> = {
  true: 'true', yes: 'true', on: 'true', '1': 'true', false: 'false', no: 'false', off: 'false', '0': 'false', '': 'false',
} // biome-ignore format: a table
