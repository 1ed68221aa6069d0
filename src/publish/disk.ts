// What a volume answers when it cannot take more, in words. What was serving goes on: only temporary names were written.
// Keeping fewer (code.keep) is no way out of a full volume: old releases go at the end of a publish that worked.
import { UserError } from '../errors.ts'

const words: Readonly<Record<string, string>> = {
  ENOSPC:
    'The volume is full: no space left. Give the app more storage (storage[].size), or delete old releases by hand.',
  EDQUOT:
    "The volume is full: the app's quota is used up. Give it more storage (storage[].size), or delete old releases by hand.",
  EROFS: 'The volume is mounted read-only in this Job.',
  EACCES:
    'The volume may not be written by the user of this Job: its files belong to someone else (security.runAsUser).',
  EPERM: 'The volume does not allow this to the user of this Job (security.runAsUser).',
  EIO: 'The volume gives input/output errors: look at its health.',
  ENOTCONN: 'The volume is not connected on this node: look at its mount and the GlusterFS servers.',
  ESTALE: 'The volume was lost on this node (stale file handle): look at its mount.',
}

/** The same error, or a UserError where the volume is the reason. */
export function volumeError(error: unknown): unknown {
  if (error instanceof UserError) return error
  const code = (error as NodeJS.ErrnoException | null)?.code ?? ''
  const said = words[code]
  return said ? new UserError('unavailable', `${said} What serves was not touched.`, { cause: error }) : error
}
