// A `gluster` program that says what a test wants, beside the machine's own programs; and a `cat` that shows a mount
// which is not there. The real one is in test/slow/glusterfs.test.ts: this is for what cannot be provoked there.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

export type Say = {
  /** A pattern of the shell on all arguments, such as `*quota gv0 list*`. */
  readonly when: string
  readonly print?: string
  readonly error?: string
  readonly code?: number
  /** Only so often; then the next rule that fits. */
  readonly times?: number
  /** More of the shell, before it prints. */
  readonly run?: string
}

export const xml = (ret: number, errno: number, message: string, body = ''): string =>
  `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput>\n  <opRet>${ret}</opRet>\n  <opErrno>${errno}</opErrno>\n  <opErrstr>${message}</opErrstr>\n${body}</cliOutput>\n`
export const fine = xml(0, 0, '')
export const quotaXml = (path: string, limit: number | string, used = 0): string =>
  xml(
    0,
    0,
    '',
    `<volQuota><limit><path>${path}</path><hard_limit>${limit}</hard_limit><used_space>${used}</used_space></limit></volQuota>`,
  )

export function fakeGluster(says: readonly Say[], mounts = '') {
  const folder = mkdtempSync(join(tmpdir(), 'gkube-fake-gluster-'))
  folders.push(folder)
  const mount = join(folder, 'mount')
  mkdirSync(mount, { mode: 0o755 })
  const log = join(folder, 'log')
  const rules = says.map(({ print = '', error = '', code = 0, times, run = '' }, i) => {
    writeFileSync(join(folder, `print-${i}`), print)
    writeFileSync(join(folder, `error-${i}`), error)
    const count = join(folder, `count-${i}`)
    const left = times === undefined ? 'true' : `[ "$(wc -l 2>/dev/null < ${count} || echo 0)" -lt ${times} ]`
    return `case "$all" in ${says[i]?.when.replaceAll(' ', '\\ ')}) if ${left}; then echo x >> ${count}; ${run || ':'}; /bin/cat ${folder}/error-${i} >&2; /bin/cat ${folder}/print-${i}; exit ${code}; fi;; esac`
  })
  program('gluster', [
    'all="$*"',
    `printf '%s\\n' "$all" >> ${log}`,
    ...rules,
    'echo "nothing fits: $all" >&2; exit 99',
  ])
  const seen = mounts || `44 27 0:40 / ${mount} rw - fuse.glusterfs g1:/gv0 rw\n`
  writeFileSync(join(folder, 'mountinfo'), seen)
  program('cat', [`exec /bin/cat ${join(folder, 'mountinfo')}`])

  function program(name: string, lines: readonly string[]): void {
    writeFileSync(join(folder, name), `#!/bin/sh\n${lines.join('\n')}\n`)
    chmodSync(join(folder, name), 0o755)
  }
  return {
    mount,
    path: `${folder}:/usr/bin:/bin`,
    /** The arguments of each call. */
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
  }
}
