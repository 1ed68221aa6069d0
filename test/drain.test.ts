// Shutting down: what runs is waited for, what comes is refused, what does not end is named.
import { expect, it } from 'vitest'
import { createDrain } from '../src/drain.ts'

const gate = () => Promise.withResolvers<void>()

it('closes at once when nothing runs', async () => {
  const drain = createDrain()
  expect(await drain.close(60_000)).toEqual({ left: [] })
  expect(drain.closing.aborted).toBe(true)
})

it('waits for what runs and gives its result to its caller', async () => {
  const drain = createDrain()
  const open = gate()
  const work = drain.track('deploy 1', async () => {
    await open.promise
    return 'done'
  })
  expect(drain.running()).toEqual(['deploy 1'])
  const closing = drain.close(60_000)
  open.resolve()
  expect(await closing).toEqual({ left: [] })
  expect(await work).toBe('done')
})

it('refuses new work, without beginning it', async () => {
  const drain = createDrain()
  await drain.close(0)
  let begun = false
  const refused = drain.track('late', async () => {
    begun = true
  })
  await expect(refused).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/shutting down/),
  })
  expect(begun).toBe(false)
})

it('tells what is left when the time is over', async () => {
  const drain = createDrain()
  const open = gate()
  const stuck = drain.track('stuck', () => open.promise)
  const quick = drain.track('quick', async () => undefined)
  await quick
  expect(await drain.close(5)).toEqual({ left: ['stuck'] })
  open.resolve()
  await stuck
})

it('counts work that fails as ended, and hands its error on', async () => {
  const drain = createDrain()
  const open = gate()
  const work = drain.track('bad', async () => {
    await open.promise
    throw new Error('broken')
  })
  const closing = drain.close(60_000)
  open.resolve()
  await expect(work).rejects.toThrow('broken')
  expect(await closing).toEqual({ left: [] })
})

it('aborts the closing signal for loops, and closing twice is one wait', async () => {
  const drain = createDrain()
  const loop = drain.track(
    'loop',
    () => new Promise<void>(end => drain.closing.addEventListener('abort', () => end())),
  )
  const [first, second] = [drain.close(60_000), drain.close(1)]
  expect(first).toBe(second)
  expect(await first).toEqual({ left: [] })
  await loop
})
