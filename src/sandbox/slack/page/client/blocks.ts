// Draws the blocks of a message, a modal or the Home tab. Elements that people act on are in widgets.ts.
import type { VNode } from 'preact'
import { useId } from 'preact/hooks'
import type { Block, Text, Widget } from './block-kit.ts'
import { html } from './html.ts'
import { type RichPart, RichText } from './rich-text.ts'
import { useSurface } from './surface.ts'
import { Words } from './text.ts'
import { Element, Picture } from './widgets.ts'

export function Blocks(props: { readonly blocks: readonly Block[] }): VNode {
  return html`<div class="blocks">
    ${props.blocks.map((block, index) => html`<${One} key=${block.block_id || index} block=${block} />`)}
  </div>`
}

function One({ block }: { readonly block: Block }): VNode | null {
  switch (block.type) {
    case 'header':
      return html`<h3 class="block header"><${Words} text=${block.text} /></h3>`
    case 'divider':
      return html`<hr class="block" />`
    case 'section':
      return html`<${Section} block=${block} />`
    case 'context':
      return html`<div class="block context">
        ${(block.elements ?? []).map(part => contextPart(part as Text | Widget))}
      </div>`
    case 'actions':
      return html`<div class="block actions" role="group" aria-label="Actions">
        ${(block.elements as readonly Widget[]).map(
          widget => html`<${Element} key=${widget.action_id} block=${block} widget=${widget} />`,
        )}
      </div>`
    case 'input':
      return html`<${Input} block=${block} />`
    case 'image':
      return html`<figure class="block">
        <img src=${block.image_url} alt=${block.alt_text ?? ''} loading="lazy" />
        ${block.title && html`<figcaption><${Words} text=${block.title} /></figcaption>`}
      </figure>`
    case 'rich_text':
      return html`<${RichText} parts=${block.elements as readonly RichPart[]} />`
    case 'table':
      return html`<${Table} block=${block} />`
    default:
      // A kind that the page does not draw: said, not hidden.
      return html`<p class="block unknown">A “${block.type}” block.</p>`
  }
}

const contextPart = (part: Text | Widget): VNode =>
  part.type === 'image'
    ? html`<${Picture} widget=${part as Widget} />`
    : html`<${Words} text=${part as Text} />`

function Section({ block }: { readonly block: Block }): VNode {
  return html`<div class=${block.accessory ? 'block section beside' : 'block section'}>
    <div class="words">
      ${block.text && html`<${Words} text=${block.text} />`}
      ${
        block.fields &&
        html`<div class="fields">
          ${block.fields.map((field, index) => html`<div key=${index}><${Words} text=${field} /></div>`)}
        </div>`
      }
    </div>
    ${block.accessory && html`<${Element} key=${block.accessory.action_id} block=${block} widget=${block.accessory} />`}
  </div>`
}

/** A field of a form with its label, its hint and what is wrong with it. */
function Input({ block }: { readonly block: Block }): VNode | null {
  const { errors } = useSurface()
  const id = useId()
  const error = errors[block.block_id]
  if (!block.element) return null
  return html`<div class="block input" data-wrong=${error ? '' : null}>
    <div class="label"><${Words} text=${block.label} />${block.optional && html`<small> (optional)</small>`}</div>
    <${Element} key=${block.element.action_id} block=${block} widget=${block.element}
      name=${block.label?.text} describedBy=${id} />
    <div id=${id} class="hint">
      ${error && html`<p class="wrong" role="alert">${error}</p>`}
      ${block.hint && html`<${Words} text=${block.hint} />`}
    </div>
  </div>`
}

type Cell = { readonly type: string; readonly text?: string; readonly elements?: readonly RichPart[] }

function Table({ block }: { readonly block: Block }): VNode {
  const [head, ...rows] = (block.rows ?? []) as readonly (readonly Cell[])[]
  const inside = (cell: Cell) => (cell.elements ? html`<${RichText} parts=${cell.elements} />` : cell.text)
  return html`<div class="block table" tabindex="0" role="region" aria-label="Table"><table>
    <thead><tr>${(head ?? []).map(cell => html`<th>${inside(cell)}</th>`)}</tr></thead>
    <tbody>${rows.map(row => html`<tr>${row.map(cell => html`<td>${inside(cell)}</td>`)}</tr>`)}</tbody>
  </table></div>`
}
