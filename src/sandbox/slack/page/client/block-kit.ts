// Block Kit as far as the page draws it, with every field that some element has. Types only; the workspace's validator
// (../../validate.ts) has looked at each payload before it comes here.

export type Text = {
  readonly type: 'plain_text' | 'mrkdwn'
  readonly text: string
  readonly verbatim?: boolean
}

export type Choice = {
  readonly text: Text
  readonly value: string
  readonly description?: Text
  readonly url?: string
}

export type ChoiceGroup = { readonly label: Text; readonly options: readonly Choice[] }

export type Confirm = {
  readonly title?: Text
  readonly text: Text
  readonly confirm?: Text
  readonly deny?: Text
  readonly style?: 'primary' | 'danger'
}

export type Widget = {
  readonly type: string
  readonly action_id: string
  readonly text?: Text
  readonly value?: string
  readonly url?: string
  readonly style?: 'primary' | 'danger'
  readonly confirm?: Confirm
  readonly accessibility_label?: string
  readonly placeholder?: Text
  readonly options?: readonly Choice[]
  readonly option_groups?: readonly ChoiceGroup[]
  readonly initial_option?: Choice
  readonly initial_options?: readonly Choice[]
  readonly initial_value?: string
  readonly initial_date?: string
  readonly initial_time?: string
  readonly initial_user?: string
  readonly initial_conversation?: string
  readonly initial_channel?: string
  readonly min_query_length?: number
  readonly multiline?: boolean
  readonly max_length?: number
  readonly focus_on_load?: boolean
  readonly image_url?: string
  readonly alt_text?: string
}

export type Block = {
  readonly type: string
  readonly block_id: string
  readonly text?: Text
  readonly fields?: readonly Text[]
  readonly accessory?: Widget
  readonly elements?: readonly unknown[]
  readonly element?: Widget
  readonly label?: Text
  readonly hint?: Text
  readonly optional?: boolean
  readonly dispatch_action?: boolean
  readonly title?: Text
  readonly image_url?: string
  readonly alt_text?: string
  readonly rows?: readonly (readonly unknown[])[]
}

/** A modal or Home tab, as the page reads it. */
export type Sheet = {
  readonly id: string
  readonly hash: string
  readonly callback_id: string
  readonly blocks: readonly Block[]
  readonly title?: Text
  readonly submit?: Text
  readonly close?: Text
  readonly clear_on_close?: boolean
  readonly state: { readonly values: Readonly<Record<string, Readonly<Record<string, Held>>>> }
}

/** A value as view.state holds it. */
export type Held = {
  readonly value?: string | null
  readonly selected_option?: Choice | null
  readonly selected_options?: readonly Choice[]
  readonly selected_date?: string | null
  readonly selected_time?: string | null
  readonly selected_user?: string | null
  readonly selected_conversation?: string | null
  readonly selected_channel?: string | null
}
