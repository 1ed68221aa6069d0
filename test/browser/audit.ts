// What a machine can tell of accessibility, asked of an open page. The looking itself runs there: in-page/audit.ts.
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import type { Page } from 'playwright-core'

const script = stripTypeScriptTypes(readFileSync(new URL('in-page/audit.ts', import.meta.url), 'utf8'))

/** What is wrong, in words; empty when all is well. `targets`: the least side of what a finger presses, in px. */
export const audit = (page: Page, { targets = 24 } = {}): Promise<string[]> =>
  page.evaluate(`(() => { ${script}; return auditPage(${targets}) })()`)
