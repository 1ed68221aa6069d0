// Clicks that let deploys go on: unlock and unfreeze. Their opposites need a reason and are dialogs (modals.ts).
import type { Rendered } from '../../../core/messages.ts'
import { section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { md } from '../blocks/mrkdwn.ts'
import { heldWords } from '../views/hold.ts'
import { placeOf, unreadable } from './click.ts'
import type { Clicked } from './decide.ts'
import { settleClick } from './settle.ts'

const said = (text: string): Rendered => fitted(text, [section(md`${text}`)])

export async function unlock(at: Clicked): Promise<void> {
  const place = placeOf(at.click.value)
  await free(at, `You unlocked ${heldWords(place)}.`, caller =>
    at.deps.core.unlock(caller, { ...place, reason: '' }),
  )
}

export async function unfreeze(at: Clicked): Promise<void> {
  const environment = at.click.value
  if (!at.deps.environments.has(environment)) throw unreadable()
  await free(at, `The freeze of ${environment} has ended.`, caller =>
    at.deps.core.unfreeze(caller, { environment, reason: '' }),
  )
}

type Free = (caller: Awaited<ReturnType<Clicked['call']['caller']>>) => Promise<void>

async function free(at: Clicked, text: string, work: Free): Promise<void> {
  const caller = await at.call.caller()
  await settleClick(at, null, () => work(caller))
  await at.ack()
  await at.call.tell(said(text))
}
