// The story that the sandbox is for: a developer asks, a release manager approves, one message tells all of it, and a
// click goes back. Pictures of each stage are kept.
import type { Locator } from 'playwright-core'
import { beforeAll, expect, it } from 'vitest'
import { audit } from './audit.ts'
import { type Seat, shows, sit } from './browser.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

let sandbox: Sandbox
let ana: Seat
let ben: Seat
beforeAll(async () => {
  sandbox = await startSandbox()
  ana = await sit(sandbox.page, 'ana', 'C0PRODUCTION')
  ben = await sit(sandbox.page, 'ben', 'C0PRODUCTION')
})

it('a request waits for approval, and the requester cannot give it', async () => {
  await ana.say('/gkube deploy web 1.0.0 to production')
  const request = await ana.newest(/waiting for 1 of 1 approval/)
  await shows(request, /sha256:/)
  await ana.only.last().getByText('got it').waitFor()
  await ana.picture('request')
  expect(await audit(ana.page)).toEqual([])

  await approve(ana, request)
  await shows(ana.only.last(), /may not approve/)
})

it('the release manager approves, and the one message moves to done by itself', async () => {
  const request = await ben.newest(/waiting for 1 of 1 approval/)
  const ts = await request.getAttribute('data-ts')
  await approve(ben, request)
  await shows(ben.only.last(), /You approved/)
  await shows(request, /rolling out|apply/)
  await ana.picture('running')
  await shows(request, /is live in\s+production/)
  await shows(request, /approved by @ben/)
  // Ana's window shows the same message, and there is no other one of this deploy.
  const same = await ana.newest(/is live in\s+production/)
  expect(await same.getAttribute('data-ts')).toBe(ts)
  expect(await ana.page.locator('.messages article:not([data-only])').count()).toBe(1)
  await ana.picture('done')
})

it('a click rolls back', async () => {
  await ana.say('/gkube deploy web 1.1.0 to production')
  const request = await ben.newest(/1\.1\.0.*waiting for 1 of 1 approval/s)
  await approve(ben, request)
  await shows(ben.only.last(), /You approved/)
  await shows(request, /1\.1\.0 is live in\s+production/)
  await request.getByRole('button', { name: /^Roll back/ }).click()
  await ben.dialog.waitFor()
  await ben.picture('roll-back')
  expect(await audit(ben.page)).toEqual([])
  await ben.dialog.getByRole('button', { name: /Roll back/ }).click()
  await ben.newest(/web is back to\s+1\.0\.0 in\s+production/)
  await ben.picture('rolled-back')
})

it('App Home shows what runs where, and what waits', async () => {
  await ana.say('/gkube deploy web 1.2.0 to production')
  await ana.newest(/1\.2\.0.*waiting for 1 of 1 approval/s)
  await ben.page.getByRole('link', { name: 'gkube Home' }).click()
  const home = ben.page.getByRole('region', { name: 'Home of gkube' })
  await shows(home, /web\s+1\.0\.0/)
  await shows(home, /1\.2\.0/)
  await ben.picture('app-home')
  expect(await audit(ben.page)).toEqual([])
  await approve(ben, home)
  // There is no channel to answer in: it is said in a dialog.
  await shows(ben.dialog, /You approved/)
  await ben.page.keyboard.press('Escape')
  await ben.dialog.waitFor({ state: 'detached' })
  await shows(await ana.newest(/1\.2\.0/), /1\.2\.0 is live in\s+production/)
  await shows(home, /web\s+1\.2\.0/)
})

it('a direct message tells the approver, in the app’s own place', async () => {
  await ben.page.getByRole('link', { name: 'Messages', exact: true }).click()
  await shows(ben.page.getByRole('log'), /1\.2\.0/)
  await ben.picture('direct-messages')
})

it('who may not is told who may, and an outsider gets nothing done', async () => {
  await ana.say('/gkube freeze production for 1h release party')
  await shows(ana.only.last(), /may not freeze .*production.*@cho/)
  const eve = await sit(sandbox.page, 'eve', 'C0PRODUCTION')
  const before = await eve.page.locator('.messages article:not([data-only])').count()
  await eve.say('/gkube deploy web 6.6.6 to production')
  await eve.only.first().waitFor()
  await eve.picture('outsider')
  expect(await eve.page.locator('.messages article:not([data-only])').count()).toBe(before)
  await eve.close()
})

it('what was said is there after a restart', async () => {
  const said = await ana.page.locator('.messages article:not([data-only])').count()
  await Promise.all([ana.close(), ben.close()])
  expect(await sandbox.stop()).toBe(0)
  const again = await sandbox.again()
  const seat = await sit(again.page, 'ana', 'C0PRODUCTION')
  await expect.poll(() => seat.page.locator('.messages article').count()).toBe(said)
  await seat.say('/gkube status web')
  await shows(seat.only.last(), /web[\s\S]*1\.2\.0/)
  await seat.close()
})

/** The button, and the confirmation that repeats what it is about. */
async function approve(seat: Seat, where: Locator): Promise<void> {
  await where.getByRole('button', { name: 'Approve', exact: true }).first().click()
  await shows(seat.dialog, /production/)
  await seat.dialog.getByRole('button', { name: 'Approve', exact: true }).click()
}
