// One command line for the shell of another machine, made of a program and its arguments. sshd hands it to the user's
// shell, whatever we do: so each word is quoted such that any POSIX shell reads back exactly what was given.
import { PoolError } from '../../core/volumes/pool.ts'

/** Words that need no quotes in any shell. */
const plain = /^[A-Za-z0-9_./:@%+,-]+$/

/** Throws PoolError `refused` on control characters: no argument of ours has one, and terminals and shells act on them. */
export function remoteWords(words: readonly string[]): string {
  return words.map(quoted).join(' ')
}

function quoted(word: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f]/.test(word) || !word.isWellFormed())
    throw new PoolError('refused', `${JSON.stringify(word.slice(0, 80))} cannot be an argument of a command.`)
  return plain.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
