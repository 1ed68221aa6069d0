// How code is published, out of gkube.yaml: the image of the Jobs and gkube's address as they reach it. Where the code
// comes from is artifacts.ts; the Job is described in docs/publish.md.
import type { PublishConfig } from '../config.ts'
import type { ParsedConfig } from './schema.ts'

export const publishOf = ({ image, url }: ParsedConfig['publish']): PublishConfig => ({
  image: image ?? null,
  url: url?.replace(/\/+$/, '') ?? null,
})
