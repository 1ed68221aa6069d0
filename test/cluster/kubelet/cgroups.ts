// What a killed node leaves in the kernel: the control groups of its containers. containerd puts them all below
// `k8s.io`, beside those of other runtimes, so only those that its own folder names are removed.
import { existsSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const root = '/sys/fs/cgroup'
const parent = 'k8s.io'

/** Removes the groups of the containers of a control plane's node; nothing where it had none. */
export async function removeGroups(plane: string): Promise<void> {
  const tasks = join(plane, 'node/state/io.containerd.runtime.v2.task', parent)
  if (!existsSync(tasks)) return
  const places = ['', ...readdirSync(root)].map(name => join(root, name, parent))
  for (const id of readdirSync(tasks))
    for (const place of places) {
      const path = join(place, id)
      if (existsSync(path)) await remove(path)
    }
}

/** Its processes were killed, and may need a moment to go. */
async function remove(path: string): Promise<void> {
  for (let tries = 100; ; tries--) {
    try {
      return rmdirSync(path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || tries === 0) throw error
      await sleep(20)
    }
  }
}
