// A clean clone installs: `npm ci` refuses a lock file that lacks an optional package of another platform, and npm
// leaves those out when the registry it asked did not have them (npm/cli#4828).
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

type Locked = {
  readonly version?: string
  readonly dependencies?: Record<string, string>
  readonly devDependencies?: Record<string, string>
  readonly optionalDependencies?: Record<string, string>
}
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
  packages: Record<string, Locked>
}
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Locked

it('the lock file has every optional package, of every platform', () => {
  const missing = Object.entries(packages).flatMap(([at, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      name => !packages[`node_modules/${name}`] && !packages[`${at}/node_modules/${name}`],
    ),
  )
  expect(missing).toEqual([])
})

it('the lock file belongs to package.json', () => {
  expect(packages['']?.dependencies).toEqual(manifest.dependencies)
  expect(packages['']?.devDependencies).toEqual(manifest.devDependencies)
})
