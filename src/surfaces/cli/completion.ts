// Completion scripts for bash, zsh and fish, generated from the command tree: static, so that a Tab costs nothing.
// Names of apps and environments are not completed: that would ask the server at each Tab.
import type { Command } from 'commander'
import { UserError } from '../../errors.ts'
import { type Cli, exitCodes } from './cli.ts'
import { shownCommands } from './tree.ts'

type Node = {
  /** `gkube pods delete` → `pods delete`; empty for the root. */
  readonly path: string
  readonly description: string
  readonly words: readonly { word: string; description: string }[]
  readonly options: readonly {
    flags: readonly string[]
    description: string
    takesValue: boolean
    file: boolean
  }[]
}

export async function completion(cli: Cli, root: Command, [shell = '']: readonly string[]): Promise<number> {
  const write = { bash, zsh, fish }[shell]
  if (!write) throw new UserError('bad_input', `\`${shell}\` is not one of bash, zsh, fish.`)
  cli.out.raw(write(nodesOf(root, [])))
  return exitCodes.ok
}

function nodesOf(command: Command, path: readonly string[]): Node[] {
  const global = path.length === 0 ? [] : rootOf(command).options
  const own: Node = {
    path: path.join(' '),
    description: command.description(),
    words: [
      ...shownCommands(command).map(child => ({ word: child.name(), description: child.description() })),
      ...(path.at(-1) === 'completion'
        ? ['bash', 'zsh', 'fish'].map(word => ({ word, description: '' }))
        : []),
    ],
    options: [...command.options, ...global].map(option => ({
      flags: [option.short, option.long].filter(flag => flag !== undefined && flag !== null),
      description: option.description,
      takesValue: option.required || option.optional,
      file: /<(path|dir|file)\b/.test(option.flags),
    })),
  }
  return [own, ...shownCommands(command).flatMap(child => nodesOf(child, [...path, child.name()]))]
}

const rootOf = (command: Command): Command => (command.parent ? rootOf(command.parent) : command)

function bash(nodes: readonly Node[]): string {
  const paths = nodes.map(node => node.path).filter(Boolean)
  const words = (node: Node) =>
    [...node.words.map(one => one.word), ...node.options.flatMap(one => one.flags), '--help'].join(' ')
  const files = [
    ...new Set(nodes.flatMap(node => node.options.filter(one => one.file).flatMap(one => one.flags))),
  ]
  const values = [
    ...new Set(
      nodes.flatMap(node =>
        node.options.filter(one => one.takesValue && !one.file).flatMap(one => one.flags),
      ),
    ),
  ]
  return `# bash completion of gkube; load it with: source <(gkube completion bash)
_gkube() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" path="" word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    case " \${path:+$path }$word" in
${paths.map(path => `      " ${path}") path="${path}" ;;`).join('\n')}
    esac
  done
  case "$prev" in
    ${files.filter(flag => flag !== '-f').join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    -f) [[ "$path" != logs ]] && { COMPREPLY=($(compgen -f -- "$cur")); return; } ;;
    ${values.filter(flag => !files.includes(flag) && flag !== '-p').join('|')}) return ;;
  esac
  case "$path" in
${nodes.map(node => `    "${node.path}") COMPREPLY=($(compgen -W "${words(node)}" -- "$cur")) ;;`).join('\n')}
  esac
}
complete -F _gkube gkube
`
}

const quoted = (text: string): string => text.replaceAll("'", "'\\''")
const zshText = (text: string): string => quoted(text.replace(/[[\]:\\]/g, found => `\\${found}`))

function zsh(nodes: readonly Node[]): string {
  const name = (path: string) => `_gkube${path ? `_${path.replaceAll(/[ -]/g, '_')}` : ''}`
  const option = (one: Node['options'][number]) => {
    const value = one.takesValue ? `:value:${one.file ? '_files' : ''}` : ''
    const [first = '', second] = one.flags
    const text = `[${zshText(one.description)}]${value}`
    return second ? `'(${first} ${second})'{${first},${second}}'${text}'` : `'${first}${text}'`
  }
  const body = (node: Node): string => {
    const options = [...node.options.map(option), "'(- *)--help[show help]'"]
    if (node.words.length === 0) return `  _arguments -s ${options.join(' \\\n    ')} '*:argument:'\n`
    const words = node.words.map(one => `'${zshText(one.word)}:${zshText(one.description)}'`).join('\n      ')
    const children = node.words
      .map(
        one =>
          `      ${one.word}) ${nodes.some(other => other.path === [node.path, one.word].filter(Boolean).join(' ')) ? name([node.path, one.word].filter(Boolean).join(' ')) : ':'} ;;`,
      )
      .join('\n')
    return `  local line state
  local -a words_here
  words_here=(
      ${words}
  )
  _arguments -C -s ${options.join(' \\\n    ')} '1: :->word' '*::argument:->rest'
  case $state in
    word) _describe 'command' words_here ;;
    rest) case $line[1] in
${children}
    esac ;;
  esac
`
  }
  return `#compdef gkube
# zsh completion of gkube; put it into a folder of $fpath as _gkube
${nodes.map(node => `${name(node.path)}() {\n${body(node)}}\n`).join('\n')}
if [ "$funcstack[1]" = "_gkube" ]; then _gkube "$@"; else compdef _gkube gkube; fi
`
}

function fish(nodes: readonly Node[]): string {
  const lines: string[] = [
    '# fish completion of gkube; put it into ~/.config/fish/completions/gkube.fish',
    'complete -c gkube -f',
  ]
  for (const node of nodes) {
    const parts = node.path.split(' ').filter(Boolean)
    const seen = parts.map(part => `__fish_seen_subcommand_from ${part}`).join('; and ')
    const children = node.words.map(one => one.word).join(' ')
    const here =
      parts.length === 0
        ? '__fish_use_subcommand'
        : children
          ? `${seen}; and not __fish_seen_subcommand_from ${children}`
          : seen
    for (const { word, description } of node.words)
      lines.push(`complete -c gkube -n '${here}' -a ${word} -d '${quoted(description)}'`)
    for (const { flags, description, takesValue, file } of parts.length === 0 ? [] : node.options) {
      const names = flags
        .map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
        .join(' ')
      lines.push(
        `complete -c gkube -n '${seen}' ${names}${takesValue ? ' -r' : ''}${file ? ' -F' : ''} -d '${quoted(description)}'`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}
