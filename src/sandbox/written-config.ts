// The gkube.yaml of the sandbox: two environments, a pool for their volumes, the people of its Slack workspace with what each may do, and secrets
// in files beside it. Written at each start, for people to look at; main.ts starts what it points to.
import { stringify } from 'yaml'

type At = {
  readonly etcd: string
  readonly kubeconfig: string
  readonly context?: string
  readonly port: number
  /** The Web API of the stand-in Slack. */
  readonly slack: string
  /** The stand-in Jenkins, and who gkube is there. */
  readonly jenkins: { readonly url: string; readonly user: string }
  /** What volumes and code need; null: neither (a real cluster cannot reach what lies here). */
  readonly storage: {
    readonly pool: Record<string, unknown>
    readonly artifacts: string
    readonly image: string
  } | null
}

/** Files beside gkube.yaml that hold its secrets. */
export const secretFiles = {
  token: 'token',
  botToken: 'slack-bot-token',
  signingSecret: 'slack-signing-secret',
  jenkinsToken: 'jenkins-token',
  hookSecret: 'jenkins-hook-secret',
  stepToken: 'jenkins-gkube-token',
} as const

/** A protected environment is given by name only: `*` would leave it out. */
const both = ['staging', 'production']

/** The text of gkube.yaml. */
export function writtenConfig(at: At): string {
  const { storage } = at
  const pool = storage ? { pool: 'sandbox' } : {}
  const environment = { createNamespace: true, onFailure: 'rollback', reload: true, ...pool }
  return `# Written by the sandbox at each start. What each key means: docs/configuration.md.\n${stringify({
    listen: { host: '127.0.0.1', port: at.port },
    etcd: { endpoints: [at.etcd] },
    clusters: { default: { kubeconfig: at.kubeconfig, ...(at.context ? { context: at.context } : {}) } },
    ...(storage
      ? {
          pools: { sandbox: storage.pool },
          artifacts: { directory: storage.artifacts },
          publish: { image: storage.image, url: `http://127.0.0.1:${at.port}` },
        }
      : {}),
    environments: {
      staging: { ...environment, exec: true, channel: 'C0STAGING' },
      production: {
        ...environment,
        protected: true,
        channel: 'C0PRODUCTION',
        approvals: { required: 1, tell: true },
        breakGlass: ['cho'],
      },
    },
    people: {
      ana: {
        name: 'ana',
        email: 'ana@example.com',
        slack: 'U0ANA',
        grants: [{ role: 'deployer', environments: both }],
      },
      ben: { name: 'ben', email: 'ben@example.com', slack: 'U0BEN' },
      cho: {
        name: 'cho',
        email: 'cho@example.com',
        slack: 'U0CHO',
        grants: [{ role: 'operator', environments: both }],
      },
    },
    groups: {
      'release-managers': {
        slack: 'S0RELEASE',
        grants: [
          { role: 'approver', environments: both },
          { role: 'deployer', environments: both },
        ],
      },
    },
    slack: {
      api: at.slack,
      botTokenFile: secretFiles.botToken,
      signingSecretFile: secretFiles.signingSecret,
      members: [{ role: 'viewer', environments: both }],
    },
    jenkins: {
      ...at.jenkins,
      tokenFile: secretFiles.jenkinsToken,
      hooks: { sandbox: { secretFile: secretFiles.hookSecret, jobs: ['shop/*'] } },
      channel: 'C0STAGING',
      events: 'all',
    },
    tokens: { bootstrapFile: secretFiles.token },
  })}`
}
