// Chromium for the tests: pages that fail on any error of their own, the verbs of a person in the workspace, pictures.
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import { afterAll, afterEach, expect } from 'vitest'

/** Pictures for people to look at, kept where that is asked for. */
const pictures = process.env.IMAGES ?? mkdtempSync(join(tmpdir(), 'gkube-pictures-'))
mkdirSync(pictures, { recursive: true })

let browser: Promise<Browser> | undefined
const faults: string[] = []
afterEach(() => expect(faults.splice(0), 'errors in the page').toEqual([]))
afterAll(async () => {
  await (await browser)?.close()
})

export const laptop = { width: 1280, height: 800 }
export const phone = { width: 390, height: 844 }

type Look = {
  readonly size?: typeof laptop
  readonly scheme?: 'light' | 'dark'
}

/** Somebody with the workspace open in their browser. */
export type Seat = ReturnType<typeof seatAt>

/** Opens the workspace as `person`, in a channel or on `home`, in a browser profile of its own. */
export async function sit(url: string, person: string, at: string, look: Look = {}): Promise<Seat> {
  browser ??= chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // Chromium refuses its sandbox to root, as a container's build is.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  })
  const context = await (await browser).newContext({
    viewport: look.size ?? laptop,
    colorScheme: look.scheme ?? 'light',
    reducedMotion: 'reduce',
    locale: 'en-GB',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('pageerror', error => void faults.push(String(error.stack)))
  page.on('console', message => {
    // The browser's own word for a connection that broke; tests break some.
    const broke = message.text().startsWith('Failed to load resource: net::')
    if (message.type() === 'error' && !broke) faults.push(message.text())
  })
  await page.goto(`${url}#/${person}/${at}`)
  await page.locator('main').waitFor()
  return seatAt(page)
}

function seatAt(page: Page) {
  const composer = page.getByRole('combobox', { name: /^Message to/ })
  return {
    page,
    composer,
    /** Types a line and sends it. */
    async say(text: string) {
      await composer.fill(text)
      await composer.press('Enter')
    },
    /** The app's newest message that everybody sees, kept by its ts: later updates are found in it. */
    async newest(text: string | RegExp): Promise<Locator> {
      const found = page.locator('article:not([data-only])').filter({ hasText: text }).last()
      await found.waitFor({ timeout: 45_000 })
      return page.locator(`.messages article[data-ts="${await found.getAttribute('data-ts')}"]`).first()
    },
    /** What the app told this person only, newest last. */
    only: page.locator('article[data-only]'),
    dialog: page.getByRole('dialog'),
    async picture(name: string) {
      await page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' })
    },
    close: () => page.context().close(),
  }
}

/** Waits until the message says so; deploys take their time. */
export const shows = (where: Locator, text: string | RegExp, timeout = 45_000): Promise<void> =>
  expect.poll(() => where.textContent(), { timeout, interval: 100 }).toMatch(text)
