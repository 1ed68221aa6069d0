// A notifier that lost its lease may have an edit on its way that arrives after its successor's last one: the message would
// say for ever what was true before. What was edited last in that time is edited once more when that is surely over.
import {
  drawDirect,
  drawMain,
  entriesOf,
  type Item,
  type LaneName,
  mainSlot,
  type Next,
  type Slot,
} from './item.ts'
import { type Desk, update } from './posting.ts'
import { type Drawn, drawnEntry } from './subject.ts'

/** Of one part of the messages; null: there is nothing to edit again. */
export async function settleEdits(desk: Desk, item: Item, part: LaneName): Promise<Next> {
  const found = [...item.memory].find(([name, memory]) => memory.unsure && slotOf(name).part === part)
  if (!found) return null
  if (desk.deps.clock.now() < desk.settles) return { at: desk.settles }
  const [name, memory] = found
  const slot = slotOf(name)
  memory.unsure = false
  return update(desk, item, slot, { urgency: () => 'waiting', draw: () => drawnAt(desk, item, slot) })
}

/** As it was named in item.ts. */
function slotOf(name: string): Slot {
  const cut = name.indexOf('/')
  if (cut < 0) return mainSlot
  return { name, part: name.slice(0, cut) === 'direct' ? 'direct' : 'thread', key: name.slice(cut + 1) }
}

function drawnAt(desk: Desk, item: Item, { part, key }: Slot): Drawn | null {
  const now = desk.deps.clock.now()
  if (part === 'main') return drawMain(item, item.messages.value, now)
  if (part === 'direct') return drawDirect(item, key, now)
  const { main } = item.messages.value
  const entry = main && entriesOf(item, item.messages.value, main, now).find(one => one.key === key)
  return entry ? drawnEntry(entry) : null
}
