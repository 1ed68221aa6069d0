// The Block Kit validator: each limit of Slack's on both of its sides, and what is allowed where.
import { expect, test } from 'vitest'
import { problemsOf, problemsOfOptions } from '../../../src/sandbox/slack/validate.ts'

type Json = Record<string, unknown>
const long = (n: number) => 'x'.repeat(n)
const plain = (text = 'Hello') => ({ type: 'plain_text', text })
const mrkdwn = (text = 'Hello') => ({ type: 'mrkdwn', text })
const section = (more: Json = {}) => ({ type: 'section', text: mrkdwn(), ...more })
const button = (more: Json = {}) => ({ type: 'button', text: plain(), action_id: 'a', ...more })
const actions = (...elements: Json[]) => ({ type: 'actions', elements })
const option = (value = 'v', text = 'Hello') => ({ text: plain(text), value })
const confirm = (more: Json = {}) => ({
  title: plain(),
  text: mrkdwn(),
  confirm: plain(),
  deny: plain(),
  ...more,
})
const input = (element: Json, more: Json = {}) => ({ type: 'input', label: plain(), element, ...more })
const modal = (blocks: Json[], more: Json = {}) => ({
  type: 'modal',
  title: plain('Deploy'),
  submit: plain('Deploy'),
  blocks,
  ...more,
})
const many = <T>(n: number, make: (index: number) => T) =>
  Array.from({ length: n }, (_, index) => make(index))
const message = (...blocks: Json[]) => ({ text: 'Hello', blocks })

/** Each limit: the largest that passes, the smallest that does not, and where the problem is. */
const limits: [string, number, (n: number) => unknown, string, ('message' | 'modal' | 'home')?][] = [
  ['blocks of a message', 50, n => message(...many(n, () => section())), '/blocks'],
  ['blocks of a modal', 100, n => modal(many(n, () => section())), '/blocks', 'modal'],
  ['blocks of a Home tab', 100, n => ({ type: 'home', blocks: many(n, () => section()) }), '/blocks', 'home'],
  ['text of a message', 40_000, n => ({ text: long(n) }), '/text'],
  ['text of a section', 3000, n => message(section({ text: mrkdwn(long(n)) })), '/blocks/0/text/text'],
  ['fields of a section', 10, n => message(section({ fields: many(n, () => mrkdwn()) })), '/blocks/0/fields'],
  ['text of a field', 2000, n => message(section({ fields: [mrkdwn(long(n))] })), '/blocks/0/fields/0/text'],
  ['header', 150, n => message({ type: 'header', text: plain(long(n)) }), '/blocks/0/text/text'],
  [
    'elements of actions',
    25,
    n => message(actions(...many(n, i => button({ action_id: `a${i}` })))),
    '/blocks/0/elements',
  ],
  [
    'elements of a context',
    10,
    n => message({ type: 'context', elements: many(n, () => mrkdwn()) }),
    '/blocks/0/elements',
  ],
  [
    'text of a button',
    75,
    n => message(actions(button({ text: plain(long(n)) }))),
    '/blocks/0/elements/0/text/text',
  ],
  [
    'value of a button',
    2000,
    n => message(actions(button({ value: long(n) }))),
    '/blocks/0/elements/0/value',
  ],
  [
    'url of a button',
    3000,
    n => message(actions(button({ url: `https://e.com/${long(n - 14)}` }))),
    '/blocks/0/elements/0/url',
  ],
  ['action_id', 255, n => message(actions(button({ action_id: long(n) }))), '/blocks/0/elements/0/action_id'],
  ['block_id', 255, n => message(section({ block_id: long(n) })), '/blocks/0/block_id'],
  [
    'confirm title',
    100,
    n => message(actions(button({ confirm: confirm({ title: plain(long(n)) }) }))),
    '/blocks/0/elements/0/confirm/title/text',
  ],
  [
    'confirm text',
    300,
    n => message(actions(button({ confirm: confirm({ text: mrkdwn(long(n)) }) }))),
    '/blocks/0/elements/0/confirm/text/text',
  ],
  [
    'confirm button',
    30,
    n => message(actions(button({ confirm: confirm({ deny: plain(long(n)) }) }))),
    '/blocks/0/elements/0/confirm/deny/text',
  ],
  [
    'options of a select',
    100,
    n => message(actions({ type: 'static_select', options: many(n, i => option(`${i}`)) })),
    '/blocks/0/elements/0/options',
  ],
  [
    'options of an overflow',
    5,
    n => message(actions({ type: 'overflow', options: many(n, i => option(`${i}`)) })),
    '/blocks/0/elements/0/options',
  ],
  [
    'radio buttons',
    10,
    n => message(actions({ type: 'radio_buttons', options: many(n, i => option(`${i}`)) })),
    '/blocks/0/elements/0/options',
  ],
  [
    'text of an option',
    75,
    n => message(actions({ type: 'static_select', options: [option('v', long(n))] })),
    '/blocks/0/elements/0/options/0/text/text',
  ],
  [
    'value of an option',
    150,
    n => message(actions({ type: 'static_select', options: [option(long(n))] })),
    '/blocks/0/elements/0/options/0/value',
  ],
  [
    'placeholder',
    150,
    n => modal([input({ type: 'plain_text_input', placeholder: plain(long(n)) })]),
    '/blocks/0/element/placeholder/text',
    'modal',
  ],
  [
    'label',
    2000,
    n => modal([input({ type: 'plain_text_input' }, { label: plain(long(n)) })]),
    '/blocks/0/label/text',
    'modal',
  ],
  [
    'hint',
    2000,
    n => modal([input({ type: 'plain_text_input' }, { hint: plain(long(n)) })]),
    '/blocks/0/hint/text',
    'modal',
  ],
  [
    'max_length',
    3000,
    n => modal([input({ type: 'plain_text_input', max_length: n })]),
    '/blocks/0/element/max_length',
    'modal',
  ],
  ['title of a modal', 24, n => modal([], { title: plain(long(n)) }), '/title/text', 'modal'],
  ['submit of a modal', 24, n => modal([], { submit: plain(long(n)) }), '/submit/text', 'modal'],
  ['close of a modal', 24, n => modal([], { close: plain(long(n)) }), '/close/text', 'modal'],
  ['callback_id', 255, n => modal([], { callback_id: long(n) }), '/callback_id', 'modal'],
  ['private_metadata', 3000, n => modal([], { private_metadata: long(n) }), '/private_metadata', 'modal'],
  [
    'alt_text',
    2000,
    n => message({ type: 'image', image_url: 'https://e.com/a.png', alt_text: long(n) }),
    '/blocks/0/alt_text',
  ],
  [
    'rows of a table',
    100,
    n => message({ type: 'table', rows: many(n, () => [{ type: 'raw_text', text: 'a' }]) }),
    '/blocks/0/rows',
  ],
]

test.each(limits)('%s: %i and no more', (_name, limit, make, at, kind = 'message') => {
  expect(problemsOf(kind, make(limit))).toEqual([])
  const problems = problemsOf(kind, make(limit + 1))
  expect(problems.length).toBeGreaterThan(0)
  expect(problems[0]).toContain(`[json-pointer:${at}]`)
  expect(problems[0]).toMatch(/must be less than|no more than|must be at most/)
})

const refused: [string, 'message' | 'modal' | 'home', unknown, RegExp][] = [
  ['nothing to say', 'message', {}, /no_text/],
  ['nothing to say, with empty blocks', 'message', { text: '', blocks: [] }, /no_text/],
  [
    'an unknown block',
    'message',
    message({ type: 'sections' }),
    /unsupported type: sections \[json-pointer:\/blocks\/0\/type\]/,
  ],
  ['a block without a type', 'message', message({ text: mrkdwn() }), /missing required field: type/],
  ['an unknown element', 'message', message(actions({ type: 'link' })), /unsupported type: link/],
  [
    'a text input among actions',
    'message',
    message(actions({ type: 'plain_text_input' })),
    /unsupported type: plain_text_input/,
  ],
  ['a button as an input', 'modal', modal([input(button())]), /unsupported type: button/],
  ['an empty section', 'message', message({ type: 'section' }), /missing required field: text/],
  ['empty mrkdwn', 'message', message(section({ text: mrkdwn('') })), /must be more than 0 characters/],
  ['no elements', 'message', message(actions()), /must contain at least 1 item/],
  [
    'no options',
    'message',
    message(actions({ type: 'static_select', options: [] })),
    /must contain at least 1 item/,
  ],
  [
    'neither options nor groups',
    'message',
    message(actions({ type: 'static_select' })),
    /exactly one of: options, option_groups/,
  ],
  ['mrkdwn in a header', 'message', message({ type: 'header', text: mrkdwn() }), /unsupported type: mrkdwn/],
  ['mrkdwn on a button', 'message', message(actions(button({ text: mrkdwn() }))), /unsupported type: mrkdwn/],
  [
    'mrkdwn in an option of a select',
    'message',
    message(actions({ type: 'static_select', options: [{ text: mrkdwn(), value: 'v' }] })),
    /unsupported type: mrkdwn/,
  ],
  [
    'emoji on mrkdwn',
    'message',
    message(section({ text: { ...mrkdwn(), emoji: true } })),
    /invalid additional property: emoji/,
  ],
  [
    'a property that is not Slack’s',
    'message',
    message(section({ colour: 'red' })),
    /invalid additional property: colour/,
  ],
  [
    'a style that is not Slack’s',
    'message',
    message(actions(button({ style: 'default' }))),
    /must be one of: primary, danger/,
  ],
  [
    'half a confirm',
    'message',
    message(actions(button({ confirm: { title: plain() } }))),
    /missing required field: text/,
  ],
  [
    'one action_id twice in a block',
    'message',
    message(actions(button(), button())),
    /`action_id` a already exists/,
  ],
  [
    'one block_id twice',
    'message',
    message(section({ block_id: 'b' }), section({ block_id: 'b' })),
    /`block_id` b already exists/,
  ],
  [
    'an initial option that is none',
    'message',
    message(actions({ type: 'static_select', options: [option()], initial_option: option('w') })),
    /initial option was not found/,
  ],
  [
    'two tables',
    'message',
    message(...many(2, () => ({ type: 'table', rows: [[{ type: 'raw_text', text: 'a' }]] }))),
    /only_one_table_allowed/,
  ],
  [
    'a table in a modal',
    'modal',
    modal([{ type: 'table', rows: [[{ type: 'raw_text', text: 'a' }]] }]),
    /unsupported type: table/,
  ],
  [
    'an image without alt_text',
    'message',
    message({ type: 'image', image_url: 'https://e.com/a.png' }),
    /missing required field: alt_text/,
  ],
  ['a link that is none', 'message', message(actions(button({ url: 'javascript:alert(1)' }))), /must match/],
  [
    'inputs without a submit',
    'modal',
    modal([input({ type: 'plain_text_input' })], { submit: undefined }),
    /missing required field: submit/,
  ],
  ['a modal without a title', 'modal', modal([], { title: undefined }), /missing required field: title/],
  [
    'a title on a Home tab',
    'home',
    { type: 'home', title: plain(), blocks: [] },
    /invalid additional property: title/,
  ],
  [
    'two elements with the focus',
    'modal',
    modal(many(2, () => input({ type: 'plain_text_input', focus_on_load: true }))),
    /only one element/,
  ],
  ['a modal as a Home tab', 'home', modal([]), /must be a home/],
  [
    'a view of more than 250 KB',
    'modal',
    modal(many(100, () => section({ text: mrkdwn(long(2600)) }))),
    /must be less than 256000/,
  ],
  [
    'metadata without a payload',
    'message',
    { text: 'a', metadata: { event_type: 'x' } },
    /missing required field: event_payload/,
  ],
  [
    'blocks of an attachment',
    'message',
    { attachments: [{ blocks: [{ type: 'nope' }] }] },
    /attachments\/0\/blocks\/0\/type/,
  ],
]

test.each(refused)('refuses %s', (_name, kind, payload, problem) => {
  expect(problemsOf(kind, payload).join('\n')).toMatch(problem)
})

test('takes what Slack takes', () => {
  const everything = message(
    { type: 'header', text: { ...plain(), emoji: true } },
    section({
      accessory: { type: 'overflow', action_id: 'more', options: [option('1'), option('2')] },
      expand: true,
    }),
    { type: 'divider' },
    {
      type: 'context',
      elements: [mrkdwn(), { type: 'image', image_url: 'https://e.com/a.png', alt_text: 'a' }],
    },
    actions(button({ style: 'danger', value: '1', confirm: confirm({ style: 'danger' }) }), {
      type: 'external_select',
      action_id: 'b',
      min_query_length: 0,
      placeholder: plain(),
    }),
    { type: 'rich_text', elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text: 'a' }] }] },
    { type: 'markdown', text: '**a**' },
    {
      type: 'plan',
      title: 'Steps',
      tasks: [{ type: 'task_card', task_id: '1', title: 'Apply', status: 'complete' }],
    },
    { type: 'alert', text: mrkdwn(), level: 'warning' },
  )
  expect(
    problemsOf('message', { ...everything, metadata: { event_type: 'deploy', event_payload: { id: '1' } } }),
  ).toEqual([])
  const form = modal(
    [
      input({
        type: 'plain_text_input',
        action_id: 'a',
        multiline: true,
        max_length: 500,
        focus_on_load: true,
      }),
      input(
        { type: 'external_select', action_id: 'a', min_query_length: 1 },
        { dispatch_action: true, optional: true },
      ),
      input({
        type: 'checkboxes',
        action_id: 'a',
        options: [{ text: mrkdwn(), value: '1', description: mrkdwn() }],
      }),
      input({ type: 'datetimepicker', action_id: 'a', initial_date_time: 1_700_000_000 }),
    ],
    { notify_on_close: true, clear_on_close: false, private_metadata: '' },
  )
  expect(problemsOf('modal', form)).toEqual([])
})

test('checks the options that an app offers', () => {
  expect(problemsOfOptions({ options: many(100, i => option(`${i}`)) })).toEqual([])
  expect(problemsOfOptions({ options: [] })).toEqual([])
  expect(problemsOfOptions({ option_groups: [{ label: plain(), options: [option()] }] })).toEqual([])
  expect(problemsOfOptions({ options: many(101, i => option(`${i}`)) })).toHaveLength(1)
  expect(problemsOfOptions({})).toHaveLength(1)
})
