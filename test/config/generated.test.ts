// What is generated from the schemas is up to date: `npm run schemas` writes it. Editors read the JSON schemas,
// so they must also say yes and no to the right files.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { generatedFiles } from '../../src/config/generated.ts'
import { configRows, exampleOfKey } from '../../src/config/reference.ts'
import { variables } from '../../src/config/variables.ts'

const read = (path: string) => readFileSync(path, 'utf8')

it.each(Object.entries(generatedFiles(read)))('%s is up to date (else: npm run schemas)', (file, content) => {
  expect(read(file)).toBe(content)
})

it('every key is described and has an example', () => {
  const rows = configRows()
  expect(rows.length).toBeGreaterThan(60)
  expect(rows.filter(row => row.text === '').map(row => row.key)).toEqual([])
  const sections = rows.filter(row => row.type === 'map' || row.type === 'list of map').map(row => row.key)
  const bare = rows.map(row => row.key).filter(key => exampleOfKey(key) === null && !sections.includes(key))
  expect(bare).toEqual([])
})

it('the page names every variable', () => {
  const page = read('docs/configuration.md')
  for (const { name } of variables) expect(page).toContain(`\`${name}\``)
})

it('the schemas have a title, no required keys with a default, and examples of patterns', () => {
  const schema = JSON.parse(read('docs/schema/gkube.schema.json'))
  expect(schema).toMatchObject({
    title: 'gkube.yaml',
    type: 'object',
    required: ['environments'],
    additionalProperties: false,
  })
  expect(schema.properties.log.properties.level.enum).toContain('warn')
  const app = JSON.parse(read('docs/schema/app.schema.json'))
  expect(app).toMatchObject({ title: 'gkube app', required: ['app'] })
})
