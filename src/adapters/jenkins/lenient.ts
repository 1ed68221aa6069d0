// Fields of Jenkins' JSON as gkube reads them: plugins add, leave out and change what they like, so what is not of its
// type counts as not there, and one odd entry of a list does not hide the others.
import { z } from 'zod'

export const text = z.string().nullish().catch(null)
export const flag = z.boolean().nullish().catch(null)
/** A count, a time or a size: whole and not negative, or nothing (-1 is Jenkins' word for unknown). */
export const count = z
  .number()
  .nullish()
  .catch(null)
  .transform(value => {
    const whole = Math.round(value ?? -1)
    return whole >= 0 && Number.isSafeInteger(whole) ? whole : null
  })

/** A list of what is understood; nothing where there is no list. */
export const many = <S extends z.ZodType>(schema: S) =>
  z
    .array(z.unknown())
    .nullish()
    .catch(null)
    .transform(entries =>
      (entries ?? []).flatMap(entry => {
        const result = schema.safeParse(entry)
        return result.success ? [result.data] : []
      }),
    )

/** The first so many UTF-16 units, without half a character at the end. */
export const cut = (text: string, most: number): string => text.slice(0, most).toWellFormed()
