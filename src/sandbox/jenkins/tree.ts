// `tree=` and `depth=` of Jenkins' remote API: which fields of a bean are shown. A bean is a plain object with `_class`;
// a field may be a function that is asked only when it is shown; `brief` names what shows where it is nested. Pure.

/** Names of fields shown where a bean is nested deeper than `depth` and no tree was asked for. */
export const brief = Symbol('brief')

export type Tree = { readonly names: ReadonlyMap<string, Tree>; readonly range: readonly [number, number] }

const everything: readonly [number, number] = [0, Number.POSITIVE_INFINITY]

/** `builds[number,url]{0,50},name`; throws where it is not well-formed. */
export function parseTree(text: string): Tree {
  let at = 0
  const bad = () => new Error(`Illegal tree at ${at}: ${text}`)
  const list = (): Map<string, Tree> => {
    const names = new Map<string, Tree>()
    for (;;) {
      const [name] = /^[\w*$-]+/.exec(text.slice(at)) ?? []
      if (!name) throw bad()
      at += name.length
      let inner: ReadonlyMap<string, Tree> = new Map()
      if (text[at] === '[') {
        at += 1
        inner = list()
        if (text[at] !== ']') throw bad()
        at += 1
      }
      names.set(name, { names: inner, range: range() })
      if (text[at] !== ',') return names
      at += 1
    }
  }
  const range = (): readonly [number, number] => {
    if (text[at] !== '{') return everything
    const [all, from, comma, to] = /^\{(\d*)(,?)(\d*)\}/.exec(text.slice(at)) ?? []
    if (!all) throw bad()
    at += all.length
    const first = Number(from || 0)
    if (!comma) return [first, first + 1]
    return [first, to ? Number(to) : Number.POSITIVE_INFINITY]
  }
  const names = list()
  if (at < text.length) throw bad()
  return { names, range: everything }
}

/** What is shown of a bean. */
export function shown(value: unknown, tree: Tree | null, depth: number, level = 0): unknown {
  if (typeof value === 'function') return shown(value(), tree, depth, level)
  if (Array.isArray(value)) {
    const [from, to] = tree?.range ?? everything
    return value.slice(from, to).map(one => shown(one, tree, depth, level))
  }
  if (value === null || typeof value !== 'object') return value
  const few = (value as { [brief]?: readonly string[] })[brief]
  const out: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(value)) {
    const below = tree?.names.get(name) ?? tree?.names.get('*')
    if (name === '_class') out[name] = inner
    else if (tree ? below : !few || level <= depth || few.includes(name))
      out[name] = shown(inner, below ?? null, depth, level + 1)
  }
  return out
}
