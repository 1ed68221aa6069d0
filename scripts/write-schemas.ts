// Writes what is generated from the zod schemas: docs/schema/, the tables of docs/configuration.md and
// gkube.example.yaml; and docs/cli.md from the command tree. Run it with `npm run schemas`; test/config/generated.test.ts says when it is due.
import { readFileSync, writeFileSync } from 'node:fs'
import { generatedFiles } from '../src/config/generated.ts'
import { reference } from '../src/surfaces/cli/reference.ts'

for (const [file, content] of Object.entries(generatedFiles(path => readFileSync(path, 'utf8'))))
  writeFileSync(file, content)
writeFileSync('docs/cli.md', reference())
