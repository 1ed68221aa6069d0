// Names in an archive, as parts below the release: whatever could leave it, or be read in two ways, is refused.
// Where links lead is checked by release-tree.ts, with these same parts.
import { UserError } from '../errors.ts'
import { markerName } from './marker.ts'

const most = { nameBytes: 255, pathBytes: 1024, depth: 64 }

/** An archive that is not unpacked; `why` is a sentence. */
export const refused = (why: string): UserError =>
  new UserError('bad_input', `The archive was refused: ${why} Nothing of it was published.`)

/** A name, or what a library says about one, as a line of a log may hold it: no control characters, cut. */
export function plainText(text: string, most: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be shown
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?')
  return plain.length > most ? `${plain.slice(0, most)}…` : plain
}

export const shown = (name: string): string => `"${plainText(name, 120)}"`

/** The parts of a name; empty for the top (`./`). Throws UserError. */
export function entryParts(name: string): readonly string[] {
  checkCharacters(name, name)
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name))
    throw refused(`${shown(name)} is an absolute path, or begins with a drive.`)
  const parts = name.split('/').filter(part => part !== '' && part !== '.')
  if (parts.includes('..')) throw refused(`${shown(name)} leads out of the release (..).`)
  if (parts.length > most.depth) throw refused(`${shown(name)} is deeper than ${most.depth} folders.`)
  if (Buffer.byteLength(name) > most.pathBytes)
    throw refused(`the path ${shown(name)} is longer than ${most.pathBytes} bytes.`)
  if (parts.some(part => Buffer.byteLength(part) > most.nameBytes))
    throw refused(`a name in ${shown(name)} is longer than ${most.nameBytes} bytes.`)
  if (parts[0]?.toLowerCase() === markerName)
    throw refused(`${shown(name)} is a name that gkube keeps for itself.`)
  return parts
}

/** Nothing that ends a name early, hides it, or is a separator elsewhere. */
export function checkCharacters(text: string, name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) throw refused(`${shown(name)} holds a control character.`)
  if (text.includes('\\')) throw refused(`${shown(name)} holds a backslash.`)
  if (Buffer.byteLength(text) > most.pathBytes)
    throw refused(`the path ${shown(name)} is longer than ${most.pathBytes} bytes.`)
}
