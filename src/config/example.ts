// A gkube.yaml that uses every key once: the source of gkube.example.yaml and of the example in each error.
// Where an error needs the value of a key, it is looked up here by path.
import { parse, stringify } from 'yaml'
import type { Path } from '../core/problems.ts'

export const exampleText = `# gkube.yaml: the configuration of a gkube server. Every key is shown; most can be left out.
# Check it with \`gkube config check\`; editors know it by the schema in docs/schema/gkube.schema.json.
# yaml-language-server: $schema=docs/schema/gkube.schema.json

listen:
  host: 0.0.0.0
  port: 8080

etcd:
  endpoints: [https://etcd-0.example.com:2379, https://etcd-1.example.com:2379]
  root: /gkube/v1/
  username: gkube
  passwordFile: /run/secrets/gkube/etcd-password # or passwordEnv: the name of a variable
  tls:
    ca: /etc/gkube/etcd/ca.crt
    cert: /etc/gkube/etcd/tls.crt
    key: /etc/gkube/etcd/tls.key
    serverName: etcd.example.com

clusters:
  eu-1:
    inCluster: true
  eu-2:
    kubeconfig: /etc/gkube/kubeconfig
    context: eu-2
    watch: namespace # cluster-wide needs a ClusterRole: see gkube rbac

defaults: # holds in every environment below, which may say otherwise
  cluster: eu-1
  namespace: '{app}-{environment}'
  createNamespace: false
  onFailure: rollback
  onCancel: rollback
  afterRollback: none # or lock: nothing more until a person has looked
  queue: supersede
  parallel: 20
  history: 100
  channel: C012AB3CD # where deploys are told, unless they were asked for elsewhere in Slack

environments:
  staging: {}
  production:
    cluster: eu-2
    protected: true
    requireDigest: true
    approvals:
      required: 1
      requesterCounts: false
      expiry: 30m
      reason: true
      rollback: false
      tell: true # direct messages to those who may approve
      remind: 10m
    breakGlass: [ben]
    freezes: # from Friday evening to Monday morning; rollbacks pass
      - { cron: '0 18 * * 5', for: 62h, timeZone: Europe/Berlin, reason: weekend }
    exec: false
    reload: false
    pool: shared # storage of apps: a directory with a quota on a GlusterFS volume
    allow:
      kinds: [ServiceMonitor.monitoring.coreos.com]
      serviceAccounts: [web]
      patches: [spec.template.spec.hostAliases]

everyone:
  - { role: viewer, apps: ['*'], environments: ['*'] } # all is the default

people:
  ana:
    name: Ana Alves
    email: ana@example.com
    slack: U012AB3CD
    jenkins: aalves
    grants:
      - { role: deployer, apps: [web, api], environments: [staging, production] }
  ben:
    name: Ben Baker
    slack: U045EF6GH
    grants:
      - role: operator

groups:
  release-managers:
    members: [ben]
    slack: S012AB3CD # a Slack user group; its members need not be listed
    grants:
      - { role: approver, apps: [web], environments: [production] }

registries:
  - host: registry.example.com
    username: gkube
    passwordFile: /run/secrets/gkube/registry-password # or passwordEnv
    insecure: false
  - dockerConfig: /run/secrets/gkube/pull-secret/.dockerconfigjson

slack: # tokens also by GKUBE_SLACK_BOT_TOKEN, GKUBE_SLACK_SIGNING_SECRET and GKUBE_SLACK_APP_TOKEN
  botTokenFile: /run/secrets/gkube/slack-bot-token
  signingSecretFile: /run/secrets/gkube/slack-signing-secret # requests come in at /slack/events
  # appTokenFile: /run/secrets/gkube/slack-app-token # Socket Mode instead: no public address
  api: https://slack.com/api/
  command: /gkube
  members: [{ role: viewer, apps: ['*'], environments: [staging] }]
  compareLink: https://git.example.com/shop/{app}/compare/{from}...{to}

jenkins: # the token also by GKUBE_JENKINS_TOKEN
  url: https://jenkins.example.com/
  user: gkube
  tokenFile: /run/secrets/gkube/jenkins-token # an API token of that user
  hooks:
    shop:
      secretFile: /run/secrets/gkube/jenkins-hook-shop # hooks come in at /hooks/jenkins/<secret>
      jobs: [shop/*]
  channel: C012AB3CD
  events: changes # all, changes or failures

pools:
  shared:
    volume: gv0
    servers: [gluster-1.example.com, gluster-2.example.com, gluster-3.example.com]
    reach: # where the gluster CLI runs: local, remote or ssh
      kind: ssh
      host: gluster-1.example.com
      port: 22
      user: gkube
      sudo: true
      keyFile: /run/secrets/gkube/gluster-key # or keyEnv
      hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHj0Zf3nQ2l7aP5mUu9cW0x8rV1kT6yBqE4sD2gNhJoM
    mount: /mnt/gv0 # on that machine
    strategy: nfs-csi # or intree with endpoints, kadalu with kadalu, hostpath with hostPath
    nfs: { server: ganesha.example.com, share: /gv0 }
    snapshots: false
    own: # volumes of their own, for apps that ask for one
      bricks: ['gluster-1.example.com:/bricks/gkube', 'gluster-2.example.com:/bricks/gkube']
      replica: 2
      force: false
  old:
    volume: gv1
    servers: [10.0.0.7]
    reach: { kind: remote, host: 10.0.0.7 }
    strategy: intree # until Kubernetes 1.25
    endpoints: { name: glusterfs, namespace: default }

artifacts: # where code comes from, for apps with a section code
  directory: /var/lib/gkube/artifacts # shared by all replicas; gkube artifact push uploads there
  maxSize: 1Gi
  keep: 168h
  hosts:
    artifacts.example.com:
      credential: artifact-reader # a Secret in the app's namespace
    blobs.example.com: {} # where the other one redirects to

publish: # the Jobs that put code on volumes
  image: registry.example.com/gkube:1.4.0 # gkube's own image
  url: http://gkube.gkube.svc # gkube as pods reach it, for uploaded artifacts

tokens:
  maxLifetime: 8760h
  bootstrapFile: /run/secrets/gkube/bootstrap-token # or bootstrapEnv

audit:
  keep: 9600h # 400 days; the seals of what is older stay

limits:
  body: 1Mi
  requestsPerMinute: 600
  streams: 200
  drain: 25s
  lease: 5s

log:
  level: info
  format: auto
`

/** Keys that exclude another one of the example, so that they cannot stand in it. */
const others: Readonly<Record<string, unknown>> = {
  passwordEnv: 'GKUBE_REGISTRY_PASSWORD',
  bootstrapEnv: 'GKUBE_BOOTSTRAP_TOKEN',
  tokenEnv: 'JENKINS_TOKEN',
  secretEnv: 'JENKINS_HOOK_SECRET',
  botTokenEnv: 'SLACK_BOT_TOKEN',
  signingSecretEnv: 'SLACK_SIGNING_SECRET',
  appTokenEnv: 'SLACK_APP_TOKEN',
  appTokenFile: '/run/secrets/gkube/slack-app-token',
  keyEnv: 'GLUSTER_KEY',
  storageClass: 'kadalu.shared',
  hostPath: '/mnt/gv0',
}

/** A line that shows how the key at `path` is written, such as `onFailure: rollback`; null where none is known. */
export function exampleOf(path: Path): string | null {
  const names = typeof path.at(-1) === 'number' ? path.slice(0, -1) : path
  const key = names.at(-1)
  if (key === undefined) return null
  const data = parse(exampleText)
  const value = others[String(key)] ?? find(data, names) ?? find(data, elsewhere(names))
  if (value === undefined) return null
  const line = stringify({ [String(key)]: value }, { collectionStyle: 'flow', lineWidth: 0 }).trim()
  const inner = line.replace(/^\{\s*(.*?)\s*\}$/, '$1')
  // A whole section would hide the mistake.
  return inner.length > 100 ? null : inner
}

/** The same key where the example has it: an environment's among the defaults, and the other way round. */
const elsewhere = ([top, ...rest]: Path): Path =>
  top === 'environments' ? ['defaults', ...rest.slice(1)] : ['environments', 'production', ...rest]

const named = ['environments', 'clusters', 'people', 'groups', 'hooks', 'pools', 'hosts']

/** The value at a path; where people choose the names (or it is a list), any neighbour's will do. */
function find(data: unknown, path: Path, free = false): unknown {
  const [step, ...rest] = path
  if (step === undefined) return data
  if (data === null || typeof data !== 'object') return undefined
  const all = free || Array.isArray(data) ? Object.values(data) : []
  const isNamed = !free && named.includes(String(step))
  for (const candidate of [(data as Record<string | number, unknown>)[step], ...all]) {
    const found = candidate === undefined ? undefined : find(candidate, rest, isNamed)
    if (found !== undefined) return found
  }
  return undefined
}
