// Which jobs there are: those that apps are fed by, from etcd, then what Jenkins has, one folder at a time. A select
// asks at each letter, so what Jenkins answered is kept for some seconds; what it does not tell in time is left out.
import type { JobFacts } from '../builds/jenkins.ts'
import type { JobName } from '../builds/verbs.ts'
import type { Caller } from '../core.ts'
import { suggest } from '../suggest.ts'
import { mayWith } from './build-rights.ts'
import type { Deps } from './deps.ts'

const keepMs = 30_000
const mostKept = 200
const most = 100
/** Folders that are looked into for one text. */
const mostFolders = 5
/** Slack waits 3 s for the choices of a select. */
const withinMs = 1_500

type Listed = readonly Pick<JobFacts, 'job' | 'kind' | 'buildable'>[]
export type JobSearch = {
  /** Jobs whose path holds the text, which the caller may see. */
  search(caller: Caller, text: string): Promise<readonly JobName[]>
  /** What may have been meant by a job that is not there, as a sentence; empty: nothing near. */
  near(caller: Caller, job: string): Promise<string>
  /** Jobs in a folder that the caller may see. */
  inside(caller: Caller, folder: string): Promise<readonly JobName[]>
}

export function jobSearch(deps: Pick<Deps, 'kv' | 'keys' | 'clock' | 'jenkins' | 'log'>): JobSearch {
  const { kv, keys, clock } = deps
  const kept = new Map<string, { readonly at: number; readonly found: Promise<Listed> }>()

  /** By job: the apps that name it. */
  async function fed(): Promise<Map<string, string[]>> {
    const { entries } = await kv.list(keys.jobs, { keysOnly: true })
    const jobs = new Map<string, string[]>()
    for (const { key } of entries) {
      const [encoded = '', app = ''] = key.slice(keys.jobs.length).split('/')
      const job = decodeURIComponent(encoded)
      jobs.set(job, [...(jobs.get(job) ?? []), app])
    }
    return jobs
  }

  function folder(path: string): Promise<Listed> {
    const ask = deps.jenkins?.ask
    if (!ask) return Promise.resolve([])
    const now = clock.now()
    const last = kept.get(path)
    if (last && now - last.at < keepMs) return last.found
    const found = ask.jobs(path)
    kept.delete(path)
    kept.set(path, { at: now, found })
    const [oldest] = kept.keys()
    if (kept.size > mostKept && oldest !== undefined) kept.delete(oldest)
    found.catch(() => {
      if (kept.get(path)?.found === found) kept.delete(path)
    })
    return found
  }

  /** Empty where Jenkins does not tell now: what apps name is known without it. */
  async function listed(path: string): Promise<Listed> {
    const stop = new AbortController()
    try {
      return await Promise.race([folder(path), clock.sleep(withinMs, stop.signal).then((): Listed => [])])
    } catch (error) {
      deps.log(`Jenkins did not list the jobs of ${path || 'its top'}`, error)
      return []
    } finally {
      stop.abort()
    }
  }

  const seen = (caller: Caller, jobs: Map<string, string[]>, names: Iterable<string>): JobName[] =>
    [...new Set(names)]
      .map(job => ({ job, apps: fedBy(jobs, job) }))
      .filter(one => mayWith(caller, 'view', one))

  return {
    async search(caller, text) {
      const typed = text.trim().toLowerCase()
      const jobs = await fed()
      const own = [...jobs.keys()].filter(job => job.toLowerCase().includes(typed)).sort()
      // `shop/we` is looked for in shop, and a folder that holds the text itself is opened.
      const above = text.includes('/') ? text.slice(0, text.lastIndexOf('/')) : ''
      const level = await listed(above)
      const matches = level.filter(one => one.job.toLowerCase().includes(typed))
      const open = typed === '' ? [] : matches.filter(one => one.kind === 'folder').slice(0, mostFolders)
      const below = (await Promise.all(open.map(one => listed(one.job)))).flat()
      const found = [...matches, ...below].filter(one => one.kind === 'job' && one.buildable)
      return seen(caller, jobs, [...own, ...found.map(one => one.job)]).slice(0, most)
    },
    async near(caller, job) {
      const jobs = await fed()
      const above = job.includes('/') ? job.slice(0, job.lastIndexOf('/')) : ''
      const all = [...jobs.keys(), ...(await listed(above)).map(one => one.job)]
      const names = seen(caller, jobs, all).map(one => one.job)
      const leaf = names.find(one => one.toLowerCase().endsWith(`/${job.toLowerCase()}`))
      const meant =
        leaf ??
        suggest(
          job,
          names.filter(one => one !== job),
        )
      return meant ? `Did you mean \`${meant}\`?` : ''
    },
    async inside(caller, path) {
      return seen(
        caller,
        await fed(),
        (await listed(path)).map(one => one.job),
      )
    },
  }
}

/** The apps of a job; a branch job falls back to its parents. */
function fedBy(jobs: ReadonlyMap<string, string[]>, job: string): readonly string[] {
  for (let path = job; path; path = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '') {
    const apps = jobs.get(path)
    if (apps) return apps
  }
  return []
}
