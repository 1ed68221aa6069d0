// Where code comes from, out of gkube.yaml: the directory of uploads and the hosts that artifacts are fetched from.
// Credentials are Secrets of the apps' namespaces, by name: gkube never reads them. The Job that uses all this is
// described in docs/publish.md.
import type { ArtifactsConfig } from '../config.ts'
import { amount, seconds } from '../core/units.ts'
import type { Report } from './problems.ts'
import type { ParsedConfig } from './schema.ts'

/** Shorter than that, an artifact may go while its deploy waits for an approval. */
const shortestKeep = 3600

export function artifactsOf(artifacts: ParsedConfig['artifacts'], report: Report): ArtifactsConfig {
  const { directory, maxSize, keep, hosts } = artifacts
  const maxBytes = Math.floor(amount(maxSize))
  if (maxBytes < 1)
    report({ path: ['artifacts', 'maxSize'], seen: maxSize, expected: 'a size above nothing' })
  if (seconds(keep) < shortestKeep)
    report({
      path: ['artifacts', 'keep'],
      seen: keep,
      expected: 'an hour or more: deploys wait for approvals',
    })
  return {
    directory: directory ?? null,
    maxBytes,
    keepSeconds: seconds(keep),
    hosts: Object.fromEntries(
      Object.entries(hosts).map(([host, one]) => [host, { credential: one?.credential ?? null }]),
    ),
  }
}
