// Parameters of jobs and inputs: what is given becomes values as Jenkins makes them. Unknown names are dropped, missing
// ones take their defaults, a choice that is none is an error of Jenkins' (500). Pure.
import type { ParameterSeed } from './control.ts'
import type { Value } from './state.ts'

export class BadParameter extends Error {}

/** Values for a build; `given` holds each name's values in the order of the request. */
export function valuesOf(
  definitions: readonly ParameterSeed[],
  given: (name: string) => readonly string[],
): Value[] {
  return definitions.flatMap(definition => {
    const { name, type } = definition
    const values = given(name)
    if (values.length > 1)
      throw new BadParameter(`Illegal number of parameter values for ${name}: ${values.length}`)
    const value = values[0] ?? defaultOf(definition)
    if (value === null) return [] // a file or a run that was not given
    return [{ name, type, value: checked(definition, value) }]
  })
}

function checked({ name, type, choices }: ParameterSeed, value: string): string {
  if (type === 'boolean') return String(value.toLowerCase() === 'true')
  if (type === 'choice' && !choices?.includes(value))
    throw new BadParameter(`Illegal choice for parameter ${name}: ${value}`)
  return value
}

/** Null: it has none. */
export function defaultOf({ type, default: given, choices }: ParameterSeed): string | null {
  if (type === 'file' || type === 'run') return given ?? null
  if (type === 'boolean') return given ?? 'false'
  if (type === 'choice') return given ?? choices?.[0] ?? ''
  return given ?? ''
}

const classes: Readonly<Record<ParameterSeed['type'], string>> = {
  string: 'String',
  text: 'Text',
  boolean: 'Boolean',
  choice: 'Choice',
  password: 'Password',
  run: 'Run',
  file: 'File',
  credentials: 'Credentials',
}
const packageOf = (type: ParameterSeed['type']) =>
  type === 'credentials' ? 'com.cloudbees.plugins.credentials' : 'hudson.model'

export const definitionType = (type: ParameterSeed['type']): string => `${classes[type]}ParameterDefinition`
const typed = (type: ParameterSeed['type'], value: string) => (type === 'boolean' ? value === 'true' : value)

/** As `parameterDefinitions` of a job has it. */
export function definitionBean(seed: ParameterSeed): object {
  const fallback = defaultOf(seed)
  return {
    _class: `${packageOf(seed.type)}.${definitionType(seed.type)}`,
    defaultParameterValue:
      fallback === null ? null : valueBean({ name: seed.name, type: seed.type, value: fallback }),
    description: seed.description ?? '',
    name: seed.name,
    type: definitionType(seed.type),
    ...(seed.type === 'choice' ? { choices: seed.choices ?? [] } : {}),
  }
}

/** As `parameters` of a build has it; secrets have a name only. */
export function valueBean({ name, type, value }: Value): object {
  const _class = `${packageOf(type)}.${classes[type]}ParameterValue`
  if (type === 'password' || type === 'file') return { _class, name }
  if (type === 'run') {
    const [jobName, number] = value.split('#')
    return { _class, name, jobName, number }
  }
  return { _class, name, value: typed(type, value) }
}
