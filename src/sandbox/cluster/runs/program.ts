// Pure: whether a container of a Job runs for real, and as what. Its image is not here, so only three things can:
// a shell with a script, a file that lies on a volume, and gkube's own publish program. All else is played (play.ts).
import { posix } from 'node:path'

/** gkube's own image, and how its program is started here. */
export type Own = { readonly image: string; readonly command: readonly string[] }

type Asked = {
  /** With `$(NAME)` filled in; paths are still the container's. */
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly image: string
  readonly workingDir: string
  readonly own: Own
  /** Of a full path in the container: it lies on a volume. */
  readonly isMounted: (path: string) => boolean
}

/** `here`: names of this machine, taken as they are; `words`: what the container says, whose paths are its own. */
export type Program = { readonly here: readonly string[]; readonly words: readonly string[] }

/** Null: it cannot run here. */
export function programOf(asked: Asked): Program | null {
  const { command, args, image, own, workingDir, isMounted } = asked
  const [name = '', ...rest] = [...command, ...args]
  if (withoutDigest(image) === withoutDigest(own.image)) {
    const words = /(^|\/)gkube(\.js)?$/.test(name) ? rest : [name, ...rest]
    if (words[0] === 'publish') return { here: own.command, words }
  }
  const shell = /(?:^|\/)((?:ba|da|a)?sh)$/.exec(name)?.[1]
  if (shell) return runsHere(rest, asked) ? { here: [shell === 'ash' ? 'sh' : shell], words: rest } : null
  const isThere = name.includes('/') && isMounted(posix.resolve(workingDir, name))
  return isThere ? { here: [], words: [name, ...rest] } : null
}

/** `-c …`, or a file on a volume: a file of the image is not here. */
function runsHere(words: readonly string[], { workingDir, isMounted }: Asked): boolean {
  for (const word of words) {
    if (/^-\w*c\w*$/.test(word)) return true
    if (!/^[-+]/.test(word)) return isMounted(posix.resolve(workingDir, word))
  }
  return false
}

const withoutDigest = (image: string): string => image.replace(/@sha256:[0-9a-f]+$/, '')
