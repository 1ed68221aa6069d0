// Why a command cannot be run as typed, in words that say what to type instead.
import { jobPath, label, revision as revisionShape } from '../units.ts'
import { type CommandName, grammar, type Slot } from './grammar.ts'

export type Known = {
  /** Null: not known now (the store does not answer): any name is taken for an app then. */
  readonly apps: readonly string[] | null
  readonly environments: readonly string[]
}

/** Thrown while words are put in their places, caught by parseCommand. */
export class Refused extends Error {}

export const slotWords: Readonly<Record<Slot, string>> = {
  app: 'the app',
  revision: 'the revision',
  environment: 'the environment',
  from: 'where from',
  to: 'where to',
  replicas: 'the number of pods',
  pod: 'the pod',
  previous: 'previous',
  tail: 'the number of lines',
  id: 'the deploy',
  everything: 'everything',
  duration: 'how long',
  reason: 'the reason',
  command: 'the command',
  job: 'the job',
  number: 'the number of the build',
  parameters: 'the parameters',
  events: 'what to tell of',
  storage: 'the storage',
}

/** ``Type: `/gkube scale web to 3 in staging` `` */
export const example = (name: CommandName, say: string): string =>
  `Type: \`${say}${grammar[name].examples[0]}\``

type Values = Readonly<Partial<Record<Slot, string>>>

/** What is missing or has the wrong shape, as one sentence; null: nothing. */
export function lacking(
  name: CommandName,
  values: Values,
  { known, say }: { known: Known; say: string },
): string | null {
  const type = example(name, say)
  const where = known.environments.slice(0, 20).join(', ')
  const slots = Object.entries(grammar[name].takes) as [Slot, 'must' | 'may'][]
  const sentences: Partial<Record<Slot, string>> = {
    app: `Say which app. ${type}`,
    from: `Say where from: ${where}. ${type}`,
    to: `Say where to: ${where}. ${type}`,
    environment: `Say where: ${where}. ${type}`,
    job: `Say which job. ${type}`,
    storage: `Say which storage of which app. ${type}`,
  }
  const lost = slots.find(([slot, need]) => need === 'must' && values[slot] === undefined)
  if (lost) return sentences[lost[0]] ?? type
  if ((name === 'lock' || name === 'unlock') && !values.environment && (!values.everything || values.app))
    return `Say where, or \`all\`: ${where}. ${type}`
  if (name === 'cancel' && !values.id && !(values.app && values.environment))
    return `Say which app and where, or the id of the deploy. ${type}`
  return misshapen(values)
}

function misshapen({ revision, replicas, tail, job, number, storage }: Values): string | null {
  if (revision !== undefined && !revisionShape.safeParse(revision).success)
    return `\`${revision.slice(0, 130)}\` is not a revision: letters, digits, dots, dashes and underscores, such as 1.4.2 or 3fa9c1e.`
  if (replicas !== undefined && !(/^\d+$/.test(replicas) && Number(replicas) <= 10_000))
    return `\`${replicas.slice(0, 80)}\` is not a number of pods from 0 to 10000.`
  if (storage !== undefined && !label().safeParse(storage).success)
    return `\`${storage.slice(0, 80)}\` is not a storage: names are of lower-case letters, digits and dashes.`
  if (job !== undefined && !jobPath.safeParse(job).success)
    return `\`${job.slice(0, 80)}\` is not a job: type its full path, such as shop/web.`
  if (number !== undefined && !/^[1-9]\d{0,8}$/.test(number))
    return `\`${number.slice(0, 80)}\` is not the number of a build, such as 214.`
  if (tail !== undefined && !(/^\d+$/.test(tail) && Number(tail) >= 1 && Number(tail) <= 10_000))
    return `\`${tail.slice(0, 80)}\` is not a number of lines from 1 to 10000.`
  return null
}
