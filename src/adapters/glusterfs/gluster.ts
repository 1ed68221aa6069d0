// The gluster CLI with its answers read: `ask` gives any answer, `order` throws where opRet says no. A lock that another
// command holds is waited for, a few times; nothing else is tried again.
import { setTimeout as sleep } from 'node:timers/promises'
import { PoolError } from '../../core/volumes/pool.ts'
import { type Answer, answerOf } from './answer.ts'
import type { PoolOptions } from './options.ts'
import { plainRefusal, refusalOf, saysBusy } from './refusals.ts'
import type { Run } from './run.ts'

export type Gluster = {
  /** Any answer of gluster; `volume` is what words call it. */
  ask(volume: string, args: readonly string[], ms?: number): Promise<Answer>
  /** The same, but PoolError where it is not well and not one of `fine`. */
  order(
    volume: string,
    args: readonly string[],
    fine?: readonly ((said: Answer) => boolean)[],
    ms?: number,
  ): Promise<Answer>
  /** What it prints where it knows no XML. */
  print(volume: string, args: readonly string[], ms?: number): Promise<string>
}

/** A busy volume is asked again so often, after 0.2, 0.4, 0.8 … seconds and up to half of that more. */
const attempts = 5
const firstMs = 200

export function glusterCli(run: Run, { name: pool, reach }: Pick<PoolOptions, 'name' | 'reach'>): Gluster {
  const remote = reach.kind === 'remote' ? [`--remote-host=${reach.host}`] : []
  const where = reach.kind === 'local' ? 'this machine' : reach.host

  async function once(args: readonly string[], xml: boolean, ms?: number) {
    // Names are checked, but an argument that begins with a dash would be an option all the same.
    const odd = args.find(arg => !/^[A-Za-z0-9_/]/.test(arg))
    if (odd !== undefined)
      throw new PoolError('refused', `${JSON.stringify(odd.slice(0, 80))} cannot be an argument of gluster.`)
    return run({
      program: 'gluster',
      args: [...remote, '--mode=script', ...(xml ? ['--xml'] : []), ...args],
      ms,
    })
  }
  const asked = (volume: string, args: readonly string[]) => ({
    pool,
    volume,
    what: args.slice(0, 2).join(' '),
    where,
    remote: reach.kind === 'remote',
  })

  /** The CLI mounts the volume to list quotas: two at once unmount it under each other, and both find nothing. */
  let listing: Promise<unknown> = Promise.resolve()
  const ask: Gluster['ask'] = (volume, args, ms) => {
    if (args[1] !== 'quota' || args[3] !== 'list') return patiently(volume, args, ms)
    const mine = listing.then(() => patiently(volume, args, ms))
    listing = mine.catch(() => undefined)
    return mine
  }
  const patiently: Gluster['ask'] = async (volume, args, ms) => {
    for (let attempt = 1; ; attempt++) {
      const { stdout, stderr } = await once(args, true, ms)
      const answer = answerOf(stdout)
      if (!answer) throw plainRefusal(`${stderr}${stdout}`.trim(), asked(volume, args))
      if (answer.ret === 0 || !saysBusy(answer) || attempt === attempts) return answer
      await sleep(firstMs * 2 ** (attempt - 1) * (1 + Math.random() / 2))
    }
  }
  return {
    ask,
    order: async (volume, args, fine = [], ms) => {
      const answer = await ask(volume, args, ms)
      if (answer.ret !== 0 && !fine.some(one => one(answer))) throw refusalOf(answer, asked(volume, args))
      return answer
    },
    print: async (volume, args, ms) => {
      const { code, stdout, stderr } = await once(args, false, ms)
      if (code !== 0) throw plainRefusal(`${stderr}${stdout}`.trim(), asked(volume, args))
      return stdout
    },
  }
}
