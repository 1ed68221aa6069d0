// Where the sandbox keeps volumes: a folder or a real GlusterFS, chosen once. The real one is started by the slow suite.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { sandboxSides } from '../../src/sandbox/server-options.ts'
import { openStorage, storageBefore, whyNoStorage } from '../../src/sandbox/storage.ts'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
function data(before?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-storage-'))
  folders.push(folder)
  if (before) writeFileSync(join(folder, 'pool'), `${before}\n`)
  return folder
}

describe('the storage of a sandbox', () => {
  it('is a folder where that is asked for, and a folder ever after', async () => {
    const folder = data()
    expect(storageBefore(folder)).toBeNull()
    const storage = await openStorage(folder, 'directory')
    expect(storage.words).toBe(`a folder stands in for GlusterFS: ${storage.folder}`)
    expect(storage.pool).toMatchObject({
      mount: storage.folder,
      strategy: 'hostpath',
      hostPath: storage.folder,
    })
    expect(existsSync(storage.folder)).toBe(true)
    expect((await openStorage(folder, 'auto')).folder).toBe(storage.folder)
    await expect(openStorage(folder, 'real')).rejects.toThrow(
      /in a folder since its first start.*another --data/,
    )
    const config = {} as never // The stand-in needs only the name.
    expect(sandboxSides(folder).pool?.('sandbox', config)?.name).toBe('sandbox')
  })

  it('is not silently another one where data lies on GlusterFS', async () => {
    const folder = data('real')
    await expect(openStorage(folder, 'directory')).rejects.toThrow(/on GlusterFS since its first start/)
    const config = {} as never // As above.
    expect(sandboxSides(folder).pool?.('sandbox', config)).toBeUndefined()
  })

  it.each([
    ['/home/ana/shop/.gkube', null],
    ['/Users/Ana Lopez/.gkube', /blanks or other special characters.*--data/],
    ['/tmp/a,b', /special characters/],
  ])('needs a path that gkube.yaml takes: %s', (path, words) => {
    const why = whyNoStorage(path)
    if (words === null) expect(why).toBeNull()
    else expect(why).toMatch(words)
  })
})
