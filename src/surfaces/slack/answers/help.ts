// Help: all commands by group in one glance, or one command with its examples. Generated from the grammar that parses
// (core/command/help.ts).
import type { Help } from '../../../core/command/help.ts'
import type { Rendered } from '../../../core/messages.ts'
import { context, section } from '../blocks/elements.ts'
import { fitted } from '../blocks/fit.ts'
import { code, joined, md, nothing } from '../blocks/mrkdwn.ts'
import type { At } from './at.ts'

/** `helpOfAll()`, or `[helpOf(command)]`. */
export function helpAnswer(help: readonly Help[], at: At): Rendered {
  const [only, ...more] = help
  if (only && more.length === 0) return oneCommand(only, at)
  const groups = Map.groupBy(help, one => one.group)
  return fitted(`Commands: ${help.map(one => one.command).join(', ')}`, [
    ...[...groups].map(([group, entries]) =>
      section(
        joined(
          [md`*${group}*`, ...entries.map(one => md`${code(`${at.command} ${one.usage}`)}  ${one.summary}`)],
          '\n',
        ),
      ),
    ),
    ...context(
      md`Words come in any order. More of one: ${code(`${at.command} help deploy`)}. Most of it is also in the *Home* tab.`,
    ),
  ])
}

function oneCommand({ usage, summary, examples, aliases, options }: Help, { command }: At): Rendered {
  return fitted(`${command} ${usage}: ${summary}`, [
    section(
      joined(
        [
          code(`${command} ${usage}`),
          md`${summary}`,
          joined(
            examples.map(example => md`• ${code(`${command} ${example}`)}`),
            '\n',
          ),
        ],
        '\n',
      ),
    ),
    ...context(
      aliases.length > 0 ? md`Also: ${aliases.join(', ')}` : nothing,
      options.length > 0
        ? md`Where a word could be read in two ways: ${joined(
            options.map(option => code(option)),
            ' ',
          )}`
        : nothing,
    ),
  ])
}
