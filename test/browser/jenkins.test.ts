// A build from beginning to end in people's browsers: asked for in Slack, its question answered, deployed to staging by
// itself, to production by a click and an approval, all in one thread; and the pages of Jenkins that links lead to.
import { beforeAll, expect, it } from 'vitest'
import { audit } from './audit.ts'
import { laptop, phone, type Seat, shows, sit } from './browser.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

let sandbox: Sandbox
let ana: Seat
let ben: Seat
beforeAll(async () => {
  sandbox = await startSandbox()
  ana = await sit(sandbox.page, 'ana', 'C0STAGING')
  ben = await sit(sandbox.page, 'ben', 'C0STAGING', { scheme: 'dark' })
})

const thread = (seat: Seat) => seat.page.getByRole('complementary', { name: 'Thread' })
const openThread = (seat: Seat) =>
  seat.page
    .getByRole('log', { name: /#staging|staging/ })
    .getByRole('button', { name: /repl(y|ies)/ })
    .first()
    .click()

it('is asked for, is followed live, and its question is answered in its thread', async () => {
  await ana.say('/gkube build shop/web')
  await shows(ana.only.last(), /got it/)
  const build = await ana.newest(/^(?!.*asks:).*shop\/web #1/s)
  await shows(build, /waits for an answer: Publish this build\?/)
  await openThread(ana)
  await shows(thread(ana), /asks: Publish this build\?/)
  await ana.picture('build-asks')
  expect(await audit(ana.page)).toEqual([])
  await thread(ana).getByRole('button', { name: 'Publish', exact: true }).click()
  await shows(ana.only.last(), /you let it proceed/)
})

it('is deployed to staging by itself; production waits for somebody', async () => {
  await shows(thread(ana), /web.*is live in\s+staging/s)
  await shows(thread(ana), /production.*can have/s)
  await ana.picture('build-deployed')
  await thread(ana).getByRole('button', { name: 'Deploy to production' }).last().click()
  await shows(ana.dialog, /production/)
  await ana.dialog.getByRole('button', { name: 'Deploy', exact: true }).click()
  await shows(thread(ana), /waiting for 1 of 1 approval/)
})

it('the release manager approves it in the same thread, and it goes live', async () => {
  await openThread(ben)
  await shows(thread(ben), /waiting for 1 of 1 approval/)
  await ben.picture('build-approval-dark')
  await thread(ben).getByRole('button', { name: 'Approve', exact: true }).first().click()
  await shows(ben.dialog, /production/)
  await ben.dialog.getByRole('button', { name: 'Approve', exact: true }).click()
  await shows(thread(ben), /is live in\s+production/)
  await ana.picture('build-live')
  expect(await audit(ben.page)).toEqual([])
})

it('the modal asks for the job’s own parameters, and a failed build names its tests', async () => {
  await ana.say('/gkube build')
  await ana.dialog.getByRole('button', { name: /^Job:/ }).click()
  await ana.page.getByRole('combobox', { name: 'Search: Job' }).fill('shop/w')
  await ana.page
    .getByRole('option', { name: /shop\/web/ })
    .first()
    .click()
  await ana.dialog.getByText('Ask before the build is published').waitFor()
  await ana.picture('build-dialog')
  expect(await audit(ana.page)).toEqual([])
  await ana.page.keyboard.press('Escape')
  await ana.dialog.waitFor({ state: 'detached' })
  await ana.say('/gkube build shop/web ASK=false BREAK="unit tests"')
  await shows(await ana.newest(/^(?!.*asks:).*shop\/web #2/s), /addsTax/)
  await ana.picture('build-failed')
})

it.each([
  ['light', laptop],
  ['dark', phone],
] as const)('its pages in Jenkins can be read: %s', async (scheme, size) => {
  const link = ana.page.getByRole('link', { name: 'shop/web #1' }).first()
  const seat = await sit(sandbox.page, 'cho', 'C0STAGING', { scheme, size })
  await seat.page.goto((await link.getAttribute('href')) ?? '')
  await seat.page.getByRole('heading', { name: 'shop/web #1' }).waitFor()
  await seat.picture(`jenkins-build-${scheme}`)
  await seat.page.getByRole('link', { name: 'Console' }).click()
  await seat.page.getByText('Finished: SUCCESS').waitFor()
  await seat.picture(`jenkins-console-${scheme}`)
  await seat.close()
})
