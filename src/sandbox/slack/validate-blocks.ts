// What Slack takes as blocks, and on which surface. Limits are those of docs.slack.dev/reference/block-kit/blocks.
// Not known here, and so refused: card, carousel, container, data_table, video and file blocks; gkube sends none.
import {
  actionsElements,
  contextActions,
  contextElements,
  image,
  inputElements,
  sectionAccessories,
} from './validate-elements.ts'
import {
  anyText,
  anything,
  byType,
  choice,
  flag,
  integer,
  isObject,
  list,
  plainText,
  type Report,
  type Rule,
  shape,
  string,
} from './validate-rules.ts'

export type Surface = 'message' | 'modal' | 'home'

const block = { block_id: string(255) }

const section = shape(
  {},
  {
    ...block,
    text: anyText(3000),
    fields: list(anyText(2000), 1, 10),
    accessory: sectionAccessories,
    expand: flag,
  },
  (value, at, report) => {
    if (value.text === undefined && value.fields === undefined) report(at, 'missing required field: text')
  },
)

const imageBlock: Rule = (value, at, report) => {
  const { block_id, title, ...rest } = value as Record<string, unknown> // byType said that it is an object
  shape({}, { ...block, title: plainText(2000) })({ block_id, title }, at, report)
  image(rest, at, report)
}

// What is inside the runs of rich text is not looked at: gkube renders mrkdwn.
const richText = shape(
  {
    elements: list(
      byType({
        rich_text_section: shape({ elements: list(anything, 0, 1000) }),
        rich_text_list: shape(
          { elements: list(anything, 1, 1000), style: choice('bullet', 'ordered') },
          { indent: integer(0, 8), border: integer(0, 1), offset: integer(0, 1000) },
        ),
        rich_text_quote: shape({ elements: list(anything, 0, 1000) }, { border: integer(0, 1) }),
        rich_text_preformatted: shape(
          { elements: list(anything, 0, 1000) },
          { border: integer(0, 1), language: string(50) },
        ),
      }),
      1,
      1000,
    ),
  },
  block,
)

const cell = byType({
  raw_text: shape({ text: string(3000) }),
  raw_number: shape({ value: anything, text: string(100) }),
  rich_text: richText,
})
const table = shape(
  { rows: list(list(cell, 1, 20), 1, 100) },
  {
    ...block,
    column_settings: list(shape({}, { align: choice('left', 'center', 'right'), is_wrapped: flag }), 0, 20),
  },
)

const task = {
  required: {
    task_id: string(255),
    title: string(256),
    status: choice('pending', 'in_progress', 'complete', 'error'),
  },
  optional: {
    ...block,
    details: byType({ rich_text: richText }),
    output: byType({ rich_text: richText }),
    sources: list(byType({ url: shape({ url: string(3000), text: string(256) }) }), 1, 100),
  },
}
const taskCard = shape(task.required, task.optional)

const everywhere: Readonly<Record<string, Rule>> = {
  section,
  header: shape({ text: plainText(150) }, { ...block, level: integer(1, 4) }),
  divider: shape({}, block),
  image: imageBlock,
  context: shape({ elements: list(contextElements, 1, 10) }, block),
  actions: shape({ elements: list(actionsElements, 1, 25) }, block),
  input: shape(
    { label: plainText(2000), element: inputElements },
    { ...block, hint: plainText(2000), optional: flag, dispatch_action: flag },
  ),
  rich_text: richText,
  alert: shape(
    { text: anyText(3000) },
    { ...block, level: choice('default', 'info', 'warning', 'error', 'success') },
  ),
}

const tables: Readonly<Record<Surface, Rule>> = {
  message: byType({
    ...everywhere,
    markdown: shape({ text: string(12_000) }, block),
    table,
    task_card: taskCard,
    plan: shape({ title: string(256) }, { ...block, tasks: list(byType({ task_card: taskCard }), 0, 50) }),
    context_actions: shape({ elements: list(contextActions, 1, 5) }, block),
  }),
  modal: byType(everywhere),
  home: byType(everywhere),
}

const maximum: Readonly<Record<Surface, number>> = { message: 50, modal: 100, home: 100 }

/** The elements of a block that carry an action_id. */
export function elementsOf(value: unknown): Record<string, unknown>[] {
  if (!isObject(value)) return []
  const all = [...(Array.isArray(value.elements) ? value.elements : []), value.accessory, value.element]
  return all.filter(isObject)
}

function unique(blocks: readonly unknown[], at: string, report: Report) {
  const blockIds = new Set<unknown>()
  let focused = 0
  let tablesSeen = 0
  for (const [index, one] of blocks.entries()) {
    if (!isObject(one)) continue
    if (one.block_id !== undefined && blockIds.has(one.block_id))
      report(`${at}/${index}/block_id`, `\`block_id\` ${String(one.block_id)} already exists`)
    blockIds.add(one.block_id)
    if (one.type === 'table' && ++tablesSeen > 1) report(`${at}/${index}`, 'only_one_table_allowed')
    const actionIds = new Set<unknown>()
    for (const element of elementsOf(one)) {
      if (element.focus_on_load === true && ++focused > 1)
        report(`${at}/${index}`, 'only one element can have focus_on_load')
      if (element.action_id !== undefined && actionIds.has(element.action_id))
        report(`${at}/${index}`, `\`action_id\` ${String(element.action_id)} already exists`)
      actionIds.add(element.action_id)
    }
  }
}

/** The blocks of a message, a modal or a Home tab. */
export const blocksOf =
  (surface: Surface): Rule =>
  (value, at, report) => {
    list(tables[surface], 0, maximum[surface])(value, at, report)
    if (Array.isArray(value)) unique(value, at, report)
  }
