// What `gluster --xml` answers, as a tree of names and texts. Only opRet says whether it went well: exit codes and
// opErrstr do not. What is not XML is told apart, since some refusals are plain text all the same.
import { DOMParser, onErrorStopParsing } from '@xmldom/xmldom'

export type Tree = { readonly name: string; readonly text: string; readonly children: readonly Tree[] }
export type Answer = {
  /** 0: it went well. */
  readonly ret: number
  readonly errno: number
  /** May be filled although it went well. */
  readonly message: string
  readonly tree: Tree
}

/** Null: no whole answer of gluster. */
export function answerOf(stdout: string): Answer | null {
  const start = stdout.indexOf('<?xml')
  if (start < 0) return null
  const tree = treeOf(stdout.slice(start).trim())
  const ret = tree && textAt(tree, 'opRet')
  if (tree?.name !== 'cliOutput' || !ret || !/^-?\d+$/.test(ret)) return null
  const errno = Number(textAt(tree, 'opErrno') ?? 0)
  return {
    ret: Number(ret),
    errno: Number.isInteger(errno) ? errno : 0,
    message: (textAt(tree, 'opErrstr') ?? '').slice(0, 2000),
    tree,
  }
}

type Element = {
  readonly nodeType: number
  readonly nodeName: string
  readonly textContent: string | null
  readonly childNodes: Iterable<Element>
}

function treeOf(xml: string): Tree | null {
  try {
    const root = new DOMParser({ onError: onErrorStopParsing }).parseFromString(
      xml,
      'text/xml',
    ).documentElement
    return root ? convert(root as unknown as Element) : null // the few fields of a DOM element that are read here
  } catch {
    // Cut off or not XML: the caller shows what came instead.
    return null
  }
}

function convert(element: Element): Tree {
  const nodes = [...element.childNodes]
  const children = nodes.filter(node => node.nodeType === 1).map(convert)
  // Text beside elements is told too: a brick's name is both.
  const text = nodes
    .filter(node => node.nodeType === 3 || node.nodeType === 4)
    .map(node => node.textContent ?? '')
  return { name: element.nodeName, text: text.join('').trim(), children }
}

/** All trees at a path of names. */
export function allAt(tree: Tree, ...path: readonly string[]): readonly Tree[] {
  return path.reduce<readonly Tree[]>(
    (found, name) => found.flatMap(one => one.children.filter(child => child.name === name)),
    [tree],
  )
}

/** The text at a path of names; undefined where it is not there. */
export const textAt = (tree: Tree, ...path: readonly string[]): string | undefined =>
  allAt(tree, ...path)[0]?.text

/** A whole number at a path; null for `N/A`, `-` and what is not there. */
export function numberAt(tree: Tree, ...path: readonly string[]): number | null {
  const text = textAt(tree, ...path) ?? ''
  return /^-?\d+$/.test(text) ? Number(text) : null
}
