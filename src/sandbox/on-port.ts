// A part of the sandbox that cannot have its port says which option names another one.
import { UserError } from '../errors.ts'

export async function onPort<T>(port: number, option: string, starting: Promise<T>): Promise<T> {
  try {
    return await starting
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause
    throw new UserError(
      'conflict',
      `Port ${port} is taken by another program. Stop that one, or name another port with ${option} (0: a free one).`,
      { cause },
    )
  }
}
