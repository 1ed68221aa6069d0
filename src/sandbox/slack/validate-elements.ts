// What Slack takes as block elements: buttons, selects, inputs, and the objects in them (confirm, option).
// Limits are those of docs.slack.dev/reference/block-kit/block-elements. The blocks around them: validate-blocks.ts.
import {
  anyText,
  anything,
  byType,
  choice,
  exactlyOne,
  flag,
  integer,
  isObject,
  list,
  plainText,
  type Report,
  type Rule,
  shape,
  string,
  url,
} from './validate-rules.ts'

const date = string(10, { pattern: /^\d{4}-\d{2}-\d{2}$/ })
const time = string(5, { pattern: /^([01]\d|2[0-3]):[0-5]\d$/ })
const id = (prefix: string) => string(40, { pattern: new RegExp(`^[${prefix}][A-Z0-9]{2,}$`) })
const user = id('UW')
const conversation = id('CGDUW')

const confirm = shape(
  { title: plainText(100), text: anyText(300), confirm: plainText(30), deny: plainText(30) },
  { style: choice('primary', 'danger') },
)

const option = (text: Rule, more: Readonly<Record<string, Rule>> = {}) =>
  shape({ text, value: string(150) }, { description: plainText(75), ...more })
const plainOption = option(plainText(75))
const richOption = option(anyText(75), { description: anyText(75) })
const optionGroup = shape({ label: plainText(75), options: list(plainOption, 1, 100) })

/** What a server-side select may be answered with. */
export const suggestions: Rule = shape(
  {},
  { options: list(plainOption, 0, 100), option_groups: list(optionGroup, 0, 100) },
  exactlyOne('options', 'option_groups'),
)

const action = { action_id: string(255) }
const interactive = { ...action, confirm, focus_on_load: flag }
const select = { ...interactive, placeholder: plainText(150) }
const several = { ...select, max_selected_items: integer(1, 1_000_000) }
const dispatch = {
  dispatch_action_config: shape(
    {},
    { trigger_actions_on: list(choice('on_enter_pressed', 'on_character_entered'), 1, 2) },
  ),
}
const typed = { ...action, ...dispatch, focus_on_load: flag, placeholder: plainText(150) }
const conversationFilter = shape(
  {},
  {
    include: list(choice('im', 'mpim', 'private', 'public'), 1, 4),
    exclude_external_shared_channels: flag,
    exclude_bot_users: flag,
  },
)

const optionsOf = (value: Record<string, unknown>): unknown[] => [
  ...(Array.isArray(value.options) ? value.options : []),
  ...(Array.isArray(value.option_groups)
    ? value.option_groups.flatMap(group =>
        isObject(group) && Array.isArray(group.options) ? group.options : [],
      )
    : []),
]

/** What is chosen at first must be one of the options, to the letter. */
const initialIsAnOption = (value: Record<string, unknown>, at: string, report: Report) => {
  const known = new Set(optionsOf(value).map(one => JSON.stringify(one)))
  const initial = Array.isArray(value.initial_options) ? value.initial_options : [value.initial_option]
  for (const one of initial) {
    if (one !== undefined && !known.has(JSON.stringify(one)))
      report(at, 'initial option was not found in options')
  }
}

const staticOptions = {
  options: list(plainOption, 1, 100),
  option_groups: list(optionGroup, 1, 100),
}
const oneOfItsOptions = (value: Record<string, unknown>, at: string, report: Report) => {
  exactlyOne('options', 'option_groups')(value, at, report)
  initialIsAnOption(value, at, report)
}

export const image: Rule = shape(
  { alt_text: string(2000) },
  { image_url: url(), slack_file: shape({}, { id: string(255), url: url() }, exactlyOne('id', 'url')) },
  exactlyOne('image_url', 'slack_file'),
)

const button = shape(
  { text: plainText(75) },
  {
    ...action,
    confirm,
    value: string(2000),
    url: url(),
    style: choice('primary', 'danger'),
    accessibility_label: string(75),
  },
)
const feedbackButton = shape(
  { text: plainText(75), value: string(2000) },
  { accessibility_label: string(75) },
)

const selects: Readonly<Record<string, Rule>> = {
  static_select: shape({}, { ...select, ...staticOptions, initial_option: plainOption }, oneOfItsOptions),
  external_select: shape({}, { ...select, initial_option: plainOption, min_query_length: integer(0, 255) }),
  users_select: shape({}, { ...select, initial_user: user }),
  conversations_select: shape(
    {},
    {
      ...select,
      initial_conversation: conversation,
      default_to_current_conversation: flag,
      response_url_enabled: flag,
      filter: conversationFilter,
    },
  ),
  channels_select: shape({}, { ...select, initial_channel: id('C'), response_url_enabled: flag }),
  multi_static_select: shape(
    {},
    { ...several, ...staticOptions, initial_options: list(plainOption, 1, 100) },
    oneOfItsOptions,
  ),
  multi_external_select: shape(
    {},
    { ...several, initial_options: list(plainOption, 1, 100), min_query_length: integer(0, 255) },
  ),
  multi_users_select: shape({}, { ...several, initial_users: list(user, 1, 100) }),
  multi_conversations_select: shape(
    {},
    {
      ...several,
      initial_conversations: list(conversation, 1, 100),
      default_to_current_conversation: flag,
      filter: conversationFilter,
    },
  ),
  multi_channels_select: shape({}, { ...several, initial_channels: list(id('C'), 1, 100) }),
}

const choices: Readonly<Record<string, Rule>> = {
  checkboxes: shape(
    { options: list(richOption, 1, 10) },
    { ...interactive, initial_options: list(richOption, 1, 10) },
    initialIsAnOption,
  ),
  radio_buttons: shape(
    { options: list(richOption, 1, 10) },
    { ...interactive, initial_option: richOption },
    initialIsAnOption,
  ),
  datepicker: shape({}, { ...select, initial_date: date }),
  timepicker: shape({}, { ...select, initial_time: time, timezone: string(100) }),
}

const datetime = shape({}, { ...interactive, initial_date_time: integer(1_000_000_000, 9_999_999_999) })
const overflow = shape({ options: list(option(plainText(75), { url: url() }), 1, 5) }, { ...action, confirm })

const textInput = shape(
  {},
  {
    ...typed,
    initial_value: string(3000, { min: 0 }),
    multiline: flag,
    min_length: integer(0, 3000),
    max_length: integer(1, 3000),
  },
  (value, at, report) => {
    if (
      typeof value.min_length === 'number' &&
      typeof value.max_length === 'number' &&
      value.min_length > value.max_length
    )
      report(at, 'min_length must not be greater than max_length')
  },
)

export const sectionAccessories: Rule = byType({ image, button, overflow, ...selects, ...choices })
export const actionsElements: Rule = byType({
  button,
  overflow,
  ...selects,
  ...choices,
  datetimepicker: datetime,
})
export const contextElements: Rule = (value, at, report) =>
  isObject(value) && value.type === 'image'
    ? byType({ image })(value, at, report)
    : anyText(2000)(value, at, report)
export const contextActions: Rule = byType({
  feedback_buttons: shape({ positive_button: feedbackButton, negative_button: feedbackButton }, action),
  icon_button: shape(
    { icon: string(100), text: plainText(75) },
    {
      ...action,
      confirm,
      value: string(2000),
      accessibility_label: string(75),
      visible_to_user_ids: list(user, 1, 100),
    },
  ),
})
export const inputElements: Rule = byType({
  ...selects,
  ...choices,
  datetimepicker: datetime,
  plain_text_input: textInput,
  email_text_input: shape({}, { ...typed, initial_value: string(255, { min: 0 }) }),
  url_text_input: shape({}, { ...typed, initial_value: string(3000, { min: 0 }) }),
  number_input: shape(
    { is_decimal_allowed: flag },
    { ...typed, initial_value: string(100), min_value: string(100), max_value: string(100) },
  ),
  rich_text_input: shape(
    {},
    { ...typed, initial_value: anything, min_lines: integer(1, 100), max_lines: integer(1, 100) },
  ),
  file_input: shape({}, { ...action, filetypes: list(string(20), 1, 100), max_files: integer(1, 10) }),
})
