// node renames-current.ts FOLDER COUNT: makes releases of two files each and switches the link `current` from one to the
// next by rename, as an update does. reads-current.ts watches from another mount.
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = '.', count = '1000'] = process.argv.slice(2)
const releases = 50
mkdirSync(join(folder, 'releases'), { recursive: true })
for (let n = Number(count) - releases; n < Number(count); n++) {
  const release = join(folder, 'releases', `r${n}`)
  mkdirSync(release)
  for (const file of ['a', 'b']) writeFileSync(join(release, file), `r${n}`)
}
for (let n = 0; n < Number(count); n++) {
  const release = Number(count) - releases + (n % releases)
  symlinkSync(join('releases', `r${release}`), join(folder, '.next'))
  renameSync(join(folder, '.next'), join(folder, 'current'))
}
