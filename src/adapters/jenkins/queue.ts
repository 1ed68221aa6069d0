// Jenkins' queue: what waits in it, and what became of an item. Items are known for five minutes after they left.
import { z } from 'zod'
import { type Jenkins, JenkinsError } from '../../core/builds/jenkins.ts'
import { actionSchema, actionTree, parametersOf, startOf } from './actions.ts'
import { fault, sentBack, understood, wordsOf } from './answers.ts'
import type { Deps } from './jenkins.ts'
import { count, flag, many, text } from './lenient.ts'
import { jobOf } from './path.ts'

const itemSchema = z.object({
  _class: text,
  why: text,
  cancelled: flag,
  executable: z.object({ number: count }).nullish().catch(null),
})
const queuedSchema = z.object({
  id: z.int().nonnegative(),
  inQueueSince: count,
  task: z.object({ url: text }),
  actions: many(actionSchema),
})

export function jenkinsQueue({ transport, server, timeouts }: Deps) {
  const { user } = server
  const nameOf = (id: number) => `item ${id} of the queue`

  const queueItem: Jenkins['queueItem'] = async id => {
    const answer = await transport.get({
      path: `queue/item/${id}/api/json`,
      query: { tree: 'why,cancelled,executable[number]' },
      ms: timeouts.call,
    })
    if (answer.status === 404) return null
    const item = understood(itemSchema, answer, { to: 'read', thing: nameOf(id), user })
    const left = typeof item.cancelled === 'boolean' || item.executable || item._class?.endsWith('LeftItem')
    if (!left) return { state: 'waiting', why: item.why ?? '' }
    return { state: 'left', number: item.executable?.number || null, cancelled: item.cancelled === true }
  }

  const cancelQueueItem: Jenkins['cancelQueueItem'] = async id => {
    const request = 'queue/cancelItem'
    const answer = await transport.post({ path: request, query: { id: String(id) }, ms: timeouts.call })
    const thing = nameOf(id)
    // 204; old versions send back to the queue.
    if (answer.status < 300 || sentBack(answer, { request, page: 'queue/' })) return
    if (answer.status === 404)
      throw new JenkinsError('not_found', `${thing} is not in Jenkins’ queue any more`)
    if (answer.status === 422) {
      const words = wordsOf(answer)
      throw new JenkinsError(
        'forbidden',
        `the Jenkins user ${user} may not cancel ${thing}${words ? `: ${words}` : ''}. Give it Job/Cancel in Jenkins`,
      )
    }
    throw fault(answer, { to: 'cancel', thing, user, posted: true })
  }

  const queued: NonNullable<Jenkins['queued']> = async job => {
    const tree = `items[id,inQueueSince,task[url],actions[${actionTree}]]`
    const answer = await transport.get({ path: 'queue/api/json', query: { tree }, ms: timeouts.call })
    const { items } = understood(z.object({ items: many(queuedSchema) }), answer, {
      to: 'read',
      thing: 'the queue',
      user,
    })
    return items
      .filter(({ task }) => jobOf(task.url ?? '') === job)
      .map(({ id, inQueueSince, actions }) => ({
        id,
        since: inQueueSince ?? 0,
        user: startOf(actions).user,
        parameters: parametersOf(actions),
      }))
  }

  return { queueItem, cancelQueueItem, queued }
}
