// `html`: templates → preact elements. Text in them is text; there is no way to put in markup.
import htm from 'htm'
import { h, type VNode } from 'preact'

const bound = htm.bind(h)

/** Draws one root element. */
export const html = (strings: TemplateStringsArray, ...values: unknown[]): VNode =>
  bound(strings, ...values) as VNode // our templates have one root each
