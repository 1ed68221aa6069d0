// What came of a publish Job, in words: which of its containers failed, with what exit code, what it said last, and what
// to do. Its program prints one line that says why (`gkube: …`, src/publish/); the exit codes are docs/exit-codes.md.
import type { Cause, Diagnosis, HookResult } from '../deploy.ts'
import { publishContainers, publishTimeout } from '../objects/publish-job.ts'
import { exitOf, resultOf } from './hook-result.ts'
import type { JobEnd } from './job-end.ts'
import type { StepContext } from './step.ts'

export async function publishResult(
  context: StepContext,
  end: JobEnd,
): Promise<{ result: HookResult; diagnosis?: Diagnosis }> {
  const timeout = publishTimeout.text
  const told = await resultOf(context, { step: 'publish', timeout, containers: publishContainers, end })
  const { diagnosis } = told
  if (!diagnosis) return told
  const exit = exitOf('publish', end.observed)
  const explained = explain(diagnosis, exit && { code: exit.code, container: exit.container }, context)
  return { result: { ...told.result, cause: explained.cause }, diagnosis: explained }
}

const notStarted = [
  'the events say what it waited for: a Secret (`code.credential`), a volume, or a node with room',
  'what serves was not touched',
]

type Exit = { readonly code: number; readonly container: string }

/** The diagnosis of a Job that failed, said as what it means for the code. Others are of the cluster, and stay. */
export function explain(
  diagnosis: Diagnosis,
  exit: Exit | undefined,
  { deploy, frozen }: Pick<StepContext, 'deploy' | 'frozen'>,
): Diagnosis {
  if (diagnosis.cause.reason === 'deadline')
    return { ...diagnosis, cause: { ...diagnosis.cause, reason: 'publish_failed' }, tries: notStarted }
  if (diagnosis.cause.reason !== 'job_failed') return diagnosis
  const at = `${deploy.app} ${deploy.revision} -E ${deploy.environment}`
  const said = lastWords(diagnosis)
  const own = exit?.container === 'update' && frozen.spec.code?.update !== undefined
  const message = exit
    ? `publish failed: ${exit.container} ended with exit code ${exit.code}${said && !own ? `. ${said}` : '.'}`
    : diagnosis.cause.message
  const cause: Cause = { reason: 'publish_failed', message: message.slice(0, 1000) }
  return { ...diagnosis, cause, tries: tries(exit, own, at) }
}

/** The one line that its program says at its end. */
function lastWords({ log }: Diagnosis): string {
  const line = log?.lines.findLast(one => one.startsWith('gkube: '))
  return line?.slice('gkube: '.length) ?? ''
}

function tries(exit: Exit | undefined, own: boolean, at: string): string[] {
  const serves = 'what serves was not touched'
  if (!exit) return [serves, `deploy again: \`gkube deploy ${at}\``]
  if (own)
    return [
      'read the log lines of the code update script (code.update); it must bear to run twice on a release',
      serves,
    ]
  switch (exit.code) {
    case 2:
      return [
        'correct what the last line says: the archive, its SHA-256, or a setting of `code`',
        `pack it again and deploy it: \`gkube deploy ${at} --artifact <file>\``,
        serves,
      ]
    case 3:
      return [
        'check the credential of the host (`code.credential`, or artifacts.hosts of the operators), and that the artifact is there',
        serves,
      ]
    case 75:
      return [
        `this may pass: deploy again, \`gkube deploy ${at}\`; a full volume needs more storage (storage[].size)`,
        serves,
      ]
    case 137:
      return [
        'it was killed: if it ran out of memory, an archive of fewer or smaller files helps, or more memory on the node',
        serves,
      ]
    default:
      return [`read the log lines, then deploy again: \`gkube deploy ${at}\``, serves]
  }
}
