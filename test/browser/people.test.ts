// Other ways in: the dialog with its searches, a failed deploy, the keyboard alone, a phone in the dark, a connection
// that breaks. Pictures of each are kept.
import { beforeAll, expect, it } from 'vitest'
import { audit } from './audit.ts'
import { phone, type Seat, shows, sit } from './browser.ts'
import { type Sandbox, startSandbox } from './sandbox.ts'

let sandbox: Sandbox
let ana: Seat
beforeAll(async () => {
  sandbox = await startSandbox()
  ana = await sit(sandbox.page, 'ana', 'C0STAGING')
})

it('what is missing is asked for in a dialog: pickers that search, a preview, errors at their field', async () => {
  const { page, dialog } = ana
  await ana.say('/gkube deploy')
  const picker = (name: string) => dialog.getByRole('button', { name: new RegExp(`^${name}:`) })
  await picker('App').click()
  await page.getByRole('combobox', { name: 'Search: App' }).fill('we')
  await page.getByRole('option', { name: /web/ }).first().waitFor()
  await ana.picture('dialog-search')
  await page.keyboard.press('Enter')
  await picker('Environment').click()
  await page
    .getByRole('option', { name: /staging/ })
    .first()
    .click()
  await dialog.getByRole('button', { name: 'Deploy' }).click()
  await dialog.getByRole('alert').waitFor()
  await ana.picture('dialog-error')
  expect(await audit(page)).toEqual([])

  await picker('Revision').click()
  await page.getByRole('combobox', { name: 'Search: Revision' }).fill('1.0.0')
  await page
    .getByRole('option', { name: /1\.0\.0/ })
    .first()
    .click()
  await shows(dialog, /Deployment web/)
  await ana.picture('deploy-dialog')
  await dialog.getByRole('button', { name: 'Deploy' }).click()
  await dialog.waitFor({ state: 'detached' })
  await shows(await ana.newest(/1\.0\.0/), /1\.0\.0 is live in\s+staging/)
})

it('a failed deploy says why in its thread, with log and events as files', async () => {
  await ana.say('/gkube deploy web 1.1.0-crash to staging')
  const message = await ana.newest(/1\.1\.0-crash/)
  await shows(message, /failed in\s+staging, rolled back to\s+1\.0\.0/)
  await message.getByRole('button', { name: /repl/ }).click()
  const thread = ana.page.getByRole('complementary', { name: 'Thread' })
  await shows(thread, /exit code 1/)
  await thread
    .getByRole('button', { name: /Open file .*[Ll]og/ })
    .first()
    .waitFor()
  await ana.picture('failed')
  expect(await audit(ana.page)).toEqual([])
  await thread
    .getByRole('button', { name: /Open file .*[Ll]og/ })
    .first()
    .click()
  await shows(ana.dialog, /ECONNREFUSED/)
  await ana.picture('file')
  await ana.page.keyboard.press('Escape')
  await ana.dialog.waitFor({ state: 'detached' })
  await ana.page.keyboard.press('Escape')
  await thread.waitFor({ state: 'detached' })
})

it('a deploy by keyboard alone, with completion, and focus that is never lost', async () => {
  const seat = await sit(sandbox.page, 'cho', 'C0STAGING')
  const { keyboard } = seat.page
  const focused = () =>
    seat.page.evaluate(
      'document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent',
    )
  await keyboard.press('Tab')
  expect(await focused()).toBe('Skip to the conversation')
  await keyboard.press('Enter')
  for (let tabs = 0; tabs < 60 && !/^Message to/.test(String(await focused())); tabs++)
    await keyboard.press('Tab')
  await keyboard.type('/g')
  await keyboard.press('Tab')
  await keyboard.type('resta')
  await seat.page.getByRole('option', { name: /restart/ }).waitFor()
  await seat.picture('completion')
  await keyboard.press('Escape')
  for (let at = 0; at < 5; at++) await keyboard.press('Backspace')
  await keyboard.type('dep')
  await keyboard.press('Enter')
  expect(await seat.composer.inputValue()).toBe('/gkube deploy ')
  await keyboard.type('web 1.2.0 to staging')
  await keyboard.press('Enter')
  const message = await seat.newest(/1\.2\.0/)
  await shows(message, /1\.2\.0 is live in\s+staging/)
  await keyboard.press('ArrowUp')
  expect(await seat.composer.inputValue()).toBe('/gkube deploy web 1.2.0 to staging')
  await keyboard.press('ArrowDown')

  // Back to the message's button; its confirmation traps the focus and gives it back.
  for (let tabs = 0; tabs < 60 && !/^Roll back/.test(String(await focused())); tabs++)
    await keyboard.press('Shift+Tab')
  await keyboard.press('Enter')
  await seat.dialog.waitFor()
  for (let tabs = 0; tabs < 5; tabs++) {
    await keyboard.press('Tab')
    expect(
      await seat.page.evaluate(
        '!document.hasFocus() || document.activeElement === document.body || document.querySelector("dialog").contains(document.activeElement)',
      ),
    ).toBe(true)
  }
  await keyboard.press('Escape')
  await seat.dialog.waitFor({ state: 'detached' })
  expect(await focused()).toMatch(/^Roll back/)
  await seat.close()
})

it.each(['light', 'dark'] as const)('a phone, %s: one column, a drawer, a full dialog', async scheme => {
  const seat = await sit(sandbox.page, 'ana', 'C0STAGING', { size: phone, scheme })
  await seat.newest(/1\.2\.0/)
  await seat.picture(`phone-${scheme}`)
  expect(await audit(seat.page, { targets: 28 })).toEqual([])
  await seat.page.getByRole('button', { name: 'Channels and people' }).click()
  await seat.page.getByRole('navigation', { name: 'Workspace' }).waitFor()
  await seat.picture(`phone-${scheme}-drawer`)
  expect(await audit(seat.page, { targets: 28 })).toEqual([])
  await seat.page.getByRole('link', { name: 'gkube Home' }).click()
  await seat.page
    .getByRole('button', { name: /Deploy/ })
    .first()
    .waitFor()
  await seat.picture(`phone-${scheme}-home`)
  expect(await audit(seat.page, { targets: 28 })).toEqual([])
  await seat.page
    .getByRole('button', { name: /Deploy/ })
    .first()
    .click()
  await seat.dialog.getByRole('button', { name: /^App:/ }).waitFor()
  await seat.picture(`phone-${scheme}-dialog`)
  expect(await audit(seat.page, { targets: 28 })).toEqual([])
  await seat.page.keyboard.press('Escape')
  await seat.dialog.waitFor({ state: 'detached' })
  await seat.close()
})

it('dark on a laptop reads as well as light', async () => {
  const seat = await sit(sandbox.page, 'ana', 'C0STAGING', { scheme: 'dark' })
  const failed = await seat.newest(/1\.1\.0-crash.*failed/s)
  await seat.picture('dark')
  expect(await audit(seat.page)).toEqual([])
  await failed
    .getByRole('button', { name: /repl|thread/ })
    .first()
    .click()
  await seat.page.getByRole('complementary', { name: 'Thread' }).waitFor()
  expect(await audit(seat.page)).toEqual([])
  await seat.close()
})

it('a message that is updated moves nothing below the fold of attention: the composer stays', async () => {
  const box = () => ana.composer.boundingBox()
  const before = await box()
  await ana.say('/gkube restart web in staging')
  if (await ana.dialog.count()) await ana.dialog.getByRole('button', { name: /Restart/ }).click()
  await shows(await ana.newest(/restart/i), /restarted|is live|done/i)
  expect(await box()).toEqual(before)
})

it('a lost connection is said, and what happened meanwhile is there afterwards', async () => {
  const seat = await sit(sandbox.page, 'ana', 'C0GENERAL')
  await seat.page.route('**/control/**', route => route.abort())
  await seat.page.evaluate('dispatchEvent(new Event("offline"))')
  await ana.page.getByRole('link', { name: /general/ }).click()
  await seat.page.reload()
  await seat.page.getByText('Opening the workspace').waitFor()
  await ana.say('said while you were away')
  await seat.page.unroute('**/control/**')
  await seat.page.getByText('said while you were away').waitFor()
  await seat.close()
})
