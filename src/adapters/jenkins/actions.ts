// The `actions` of builds and of items in the queue, where Jenkins keeps why it runs and with which parameters.
import { z } from 'zod'
import { cut, many, text } from './lenient.ts'
import { isSensitive } from './parameters.ts'

/** For `tree=`. */
export const actionTree = 'causes[shortDescription,userId],parameters[name,value]'

export const actionSchema = z.object({
  causes: many(z.object({ shortDescription: text, userId: text })),
  parameters: many(
    z.object({
      _class: text,
      name: z.string(),
      value: z.union([z.string(), z.number(), z.boolean()]),
    }),
  ),
  lastBuiltRevision: z
    .object({ SHA1: text, branch: many(z.object({ name: text })) })
    .nullish()
    .catch(null),
})
export type Action = z.output<typeof actionSchema>

/** Limits of Build's record. */
const mostCause = 500
const mostName = 200
const mostValue = 10_000

/** Why it runs, in Jenkins' words, and its user id where a person started it. */
export function startOf(actions: readonly Action[]): {
  readonly cause: string
  readonly user: string | null
} {
  const causes = actions.flatMap(action => action.causes)
  const words = new Set(causes.flatMap(({ shortDescription }) => shortDescription ?? []))
  return {
    cause: cut([...words].join('; '), mostCause),
    user: causes.find(({ userId }) => userId)?.userId ?? null,
  }
}

/** Without what Jenkins marks as sensitive, and without what has no plain value (files, runs). */
export function parametersOf(actions: readonly Action[]): Readonly<Record<string, string>> {
  const shown = actions
    .flatMap(action => action.parameters)
    .filter(({ _class, name }) => !isSensitive(_class ?? '') && name.length <= mostName)
    .map(({ name, value }) => [name, cut(String(value), mostValue)] as const)
  return Object.fromEntries(shown)
}
