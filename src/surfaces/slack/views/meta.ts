// What a dialog remembers between opening and submitting (`private_metadata`, 3000 characters in Slack): ids only.
// It went through the person's client, so it is parsed again here and everything behind the ids is read again.
import { z } from 'zod'
import { UserError } from '../../../errors.ts'

const schema = z.strictObject({
  deploy: z
    .string()
    .regex(/^[a-z0-9]{1,40}$/)
    .optional(),
  /** `prepared.hash` of what was shown: the vote binds it. */
  hash: z
    .string()
    .regex(/^[0-9a-f]{8,64}$/)
    .optional(),
  app: z.string().min(1).max(40).optional(),
  environment: z.string().min(1).max(30).optional(),
  /** The name of an app's storage. */
  storage: z.string().min(1).max(63).optional(),
  /** Where it was asked for: the message of a deploy goes there. */
  channel: z
    .string()
    .regex(/^[A-Z0-9]{2,40}$/)
    .optional(),
  /** What the button of the lock dialog does. */
  hold: z.enum(['lock', 'freeze']).optional(),
  /** The Jenkins job whose parameters a dialog shows. */
  job: z.string().min(1).max(500).optional(),
  /** gkube's id of a build, and the input of it that a dialog answers. */
  build: z
    .string()
    .regex(/^[a-z0-9]{1,40}$/)
    .optional(),
  input: z.string().min(1).max(200).optional(),
})
export type Meta = z.output<typeof schema>

export const metaText = (meta: Meta): string => JSON.stringify(schema.parse(meta))

/** Throws UserError where another version wrote it, or somebody else. */
export function metaOf(view: { readonly private_metadata?: string }): Meta {
  const text = view.private_metadata
  let json: unknown
  try {
    json = text ? JSON.parse(text) : {}
  } catch {
    json = null
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new UserError('bad_input', 'This dialog is of another version of gkube. Close it and open it again.')
}
