#!/usr/bin/env node
// The `gkube` command as npm installs it: finds the program (sources in a checkout, dist/ in the package).
// Plain JavaScript, so that an older Node can still say what to do.
import { existsSync } from 'node:fs'
import module from 'node:module'
import { join } from 'node:path'

const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(
    `gkube needs Node.js 24 or newer; this is ${process.versions.node} (${process.execPath}).\n` +
      'In a checkout, run `npm ci` and then `npx gkube`: it brings its own Node.\n' +
      'Elsewhere, install Node.js 24 from https://nodejs.org/en/download or use the container image.\n',
  )
  process.exit(2)
}

// A command compiles the same files each time: kept, that is half of its start. Below the user's own home, never in
// a shared /tmp, because what is read from there is run.
const { HOME, XDG_CACHE_HOME } = process.env
const cache = XDG_CACHE_HOME || (HOME && join(HOME, '.cache'))
if (cache) module.enableCompileCache?.(join(cache, 'gkube', 'compile'))

const sources = new URL('../src/main.ts', import.meta.url)
const program = existsSync(sources) ? sources : new URL('../dist/main.js', import.meta.url)
await import(program.href)
