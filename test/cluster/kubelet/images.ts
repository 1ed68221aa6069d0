// Images without a registry: busybox and one script (app.sh) in a layer that all share, and a configuration for each
// tag, whose VERSION tells the script what to do. Written as the archive that `ctr images import` reads.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const applets = [
  'cat',
  'cp',
  'echo',
  'env',
  'httpd',
  'id',
  'ls',
  'mkdir',
  'sh',
  'sleep',
  'tail',
  'touch',
  'wget',
]
/** What holds a pod's namespaces open. */
export const pauseImage = 'registry.example.com/pause:1.0.0'

/** Writes the archive with an image for each reference. */
export async function writeImages(archive: string, busybox: string, names: readonly string[]): Promise<void> {
  const folder = `${archive}.parts`
  const root = join(folder, 'root')
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'tmp'), { mode: 0o777 })
  copyFileSync(busybox, join(root, 'bin/busybox'))
  for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet))
  copyFileSync(fileURLToPath(new URL('app.sh', import.meta.url)), join(root, 'app.sh'))
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=a+rwX']
  await run('tar', ['-C', root, ...owner, '-cf', join(folder, 'layer.tar'), '.'], { timeout: 30_000 })
  const layer = createHash('sha256')
    .update(readFileSync(join(folder, 'layer.tar')))
    .digest('hex')
  const manifest = [...names, pauseImage].map((name, i) => {
    const version = name.slice(name.lastIndexOf(':') + 1)
    const config = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: {
        User: '65532:65532',
        Env: ['PATH=/bin', `VERSION=${version}`],
        Cmd: name === pauseImage ? ['/bin/sleep', '1000000'] : ['/bin/sh', '/app.sh'],
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
    }
    writeFileSync(join(folder, `${i}.json`), JSON.stringify(config))
    return { Config: `${i}.json`, RepoTags: [name], Layers: ['layer.tar'] }
  })
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  const files = manifest.map(({ Config }) => Config)
  await run('tar', ['-C', folder, '-cf', archive, 'manifest.json', 'layer.tar', ...files], {
    timeout: 30_000,
  })
  rmSync(folder, { recursive: true })
}
