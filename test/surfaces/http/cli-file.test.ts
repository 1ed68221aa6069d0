// GET /cli over real HTTP: what is in the file, that it runs, and that it costs a server little. Older Nodes run it in
// test/slow/execute-shell.test.ts.
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { bundleCli } from '../../../src/surfaces/http/cli-file.ts'
import { served } from '../serve.ts'
import { tokens } from '../support.ts'

const folder = mkdtempSync(join(tmpdir(), 'gkube-cli-file-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const { url, ask, core } = await served()

describe('GET /cli', () => {
  it('answers anybody with one file, and again only where it changed', async () => {
    const first = await fetch(`${url}/cli`)
    const body = await first.text()
    const etag = first.headers.get('etag') ?? ''
    expect({ status: first.status, type: first.headers.get('content-type') }).toEqual({
      status: 200,
      type: 'text/javascript; charset=utf-8',
    })
    expect(body.startsWith('#!/usr/bin/env node\n// gkube 9.9.9')).toBe(true)
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/)
    expect(first.headers.get('cache-control')).toBe('no-cache')
    const again = await fetch(`${url}/cli`, { headers: { 'if-none-match': `"other", ${etag}` } })
    expect({ status: again.status, body: await again.text() }).toEqual({ status: 304, body: '' })
    expect((await fetch(`${url}/cli`, { method: 'POST' })).status).toBe(404)
  })

  it('is slowed down by address, without taking anything from those with a token', async () => {
    const few = await served({ limits: { requestsPerMinute: 3 } })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await fetch(`${few.url}/cli`)).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    expect((await few.ask('GET', '/v1/apps')).status).toBe(200)
  })

  it('is in the document', async () => {
    const document = (await (await ask('GET', '/openapi.json')).json()) as { paths: Record<string, unknown> }
    expect(document.paths).toHaveProperty('/cli.get.security', [])
  })
})

describe('the file', () => {
  it('holds the command line and nothing of a server, and nothing of the environment it was made in', async () => {
    process.env.GKUBE_TOKEN = 'a-secret-of-the-server-8f2k'
    const made = await bundleCli('9.9.9')
    delete process.env.GKUBE_TOKEN
    const text = Buffer.from(made?.code ?? []).toString()
    expect(text.length).toBeGreaterThan(50_000)
    expect(text.length).toBeLessThan(400_000)
    expect(text).not.toContain('8f2k')
    const places = new Set(
      made?.inputs.map(
        path =>
          /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ??
          /^src\/(?:surfaces\/\w+|core|errors\.ts)/.exec(path)?.[0] ??
          path,
      ),
    )
    expect([...places].sort()).toEqual(['commander', 'src/core', 'src/errors.ts', 'src/surfaces/cli', 'yaml'])
  })

  it('runs without node_modules: registers, deploys, and says what is not in it', async () => {
    const file = join(folder, 'gkube.mjs')
    writeFileSync(file, await (await fetch(`${url}/cli`)).text())
    writeFileSync(join(folder, 'app.yaml'), 'app: web\nimage: web:{revision}\n')
    const env = { PATH: process.env.PATH, GKUBE_URL: url, GKUBE_TOKEN: tokens.admin }
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [file, ...args], { cwd: folder, env })
    const { stdout } = await run('deploy', '-f', 'app.yaml', '1.0.0', '-E', 'staging')
    expect(stdout).toMatch(/gkube: RESULT succeeded web 1\.0\.0 staging \ds\n$/)
    expect([...core.deploys.values()][0]?.deploy.app).toBe('web')
    expect((await run('--version')).stdout).toBe('9.9.9\n')
    await expect(run('serve')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('only the command line'),
    })
  })
})
