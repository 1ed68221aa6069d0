// Writes dist/cli.mjs, the command line as one file (npm run build, Dockerfile). What is in it: http/cli-file.ts.
import { mkdirSync, writeFileSync } from 'node:fs'
import { bundleCli } from '../src/surfaces/http/cli-file.ts'
import { version } from '../src/version.ts'

const made = await bundleCli(version)
if (!made) throw new Error('esbuild is not installed: npm ci')
mkdirSync('dist', { recursive: true })
writeFileSync('dist/cli.mjs', made.code)
