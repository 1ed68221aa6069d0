// Parameters of jobs and of inputs: as Jenkins defines them → as a form shows them. Both of its APIs are read: the remote
// API (`defaultParameterValue`) and the stage view's (`definition.defaultVal`). A secret's default is never taken.
import { z } from 'zod'
import type { Parameter } from '../../core/builds/build.ts'
import { cut, many, text } from './lenient.ts'

/** For `tree=`. */
export const definitionTree = 'name,type,description,choices,defaultParameterValue[value]'

const scalar = z.union([z.string(), z.number(), z.boolean()]).nullish().catch(null)

export const definitionSchema = z.object({
  name: z.string().min(1).max(200),
  type: text,
  _class: text,
  description: text,
  choices: many(z.string()),
  defaultParameterValue: z.object({ value: scalar }).nullish().catch(null),
  definition: z
    .object({ defaultVal: scalar, choices: many(z.string()) })
    .nullish()
    .catch(null),
})

/** Limits of Build's record. */
const mostText = 500
const mostChoices = 200

/** A default or a choice that does not fit is left out, not cut: it would be sent back as a value. */
export function parameterOf(definition: z.output<typeof definitionSchema>): Parameter {
  const fits = (value: string) => value.length <= mostText
  const choices = (
    definition.choices.length > 0 ? definition.choices : (definition.definition?.choices ?? [])
  )
    .filter(fits)
    .slice(0, mostChoices)
  const named = typeOf(definition.type ?? definition._class ?? '')
  // A plugin that makes its choices up as it is asked: people type them.
  const type = named === 'choice' && choices.length === 0 ? 'string' : named
  const given = definition.defaultParameterValue?.value ?? definition.definition?.defaultVal
  const known = given === null || given === undefined ? null : String(given)
  const value = known ?? (type === 'choice' ? (choices[0] ?? null) : null)
  return {
    name: definition.name,
    type,
    description: cut(definition.description ?? '', mostText),
    choices,
    default: type === 'password' || value === null || !fits(value) ? null : value,
  }
}

const types: readonly (readonly [RegExp, Parameter['type']])[] = [
  [/password|secret/i, 'password'],
  [/file/i, 'file'],
  [/text(parameter)/i, 'text'],
  [/string(parameter)/i, 'string'],
  [/boolean/i, 'boolean'],
  [/choice(parameter)/i, 'choice'],
  [/\brun(parameter)/i, 'run'],
]

/** `StringParameterDefinition` → string; plugins' own are `other`. */
const typeOf = (name: string): Parameter['type'] => types.find(([shape]) => shape.test(name))?.[1] ?? 'other'

/** Kinds of parameter values whose value nobody should see, whatever Jenkins exports of them. */
export const isSensitive = (className: string): boolean => /password|secret|credential/i.test(className)
