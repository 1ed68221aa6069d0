// Preloaded (`node --import`) into a process that is looked at: notes every module that it resolves, and writes the
// list to BENCH_MODULES when it ends or gets SIGUSR2. Used once per kind of process, never in one that is timed.
import { writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const modules = new Map<string, Module>()
/** `entry`: imported by gkube's own code, so an entry point of its package. */
export type Module = { readonly url: string; readonly entry: boolean }

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context)
    const { url } = resolved
    const entry = isPackage(url) && context.parentURL !== undefined && !isPackage(context.parentURL)
    if (!modules.get(url)?.entry) modules.set(url, { url, entry })
    return resolved
  },
})

const isPackage = (url: string): boolean => url.includes('/node_modules/')
const write = () => writeFileSync(process.env.BENCH_MODULES ?? '', JSON.stringify([...modules.values()]))
process.on('SIGUSR2', write)
process.on('exit', write)
