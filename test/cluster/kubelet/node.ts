// A real node on this machine: containerd, runc and a kubelet of the current minor, in a mount and a PID namespace of
// their own (run-node.sh), pods on addresses that only this machine reaches (cni.sh). Needs root. Its files lie in the
// control plane's folder; what it leaves in the kernel is removed at the end.
import { execFile, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { freePort } from '../../../src/sandbox/free-port.ts'
import { kubelet } from '../build.ts'
import type { Nodes } from '../harness.ts'
import { removeGroups } from './cgroups.ts'
import { pauseImage, writeImages } from './images.ts'

const run = promisify(execFile)
/** A mount and a PID namespace, whose end is the end of all in it. */
const space = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child=SIGKILL']
const wanted = ['containerd', 'ctr', 'runc', 'unshare', 'nsenter', 'ip', 'openssl', 'tar', 'busybox'] as const
const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

function which(program: string): string | undefined {
  return places
    .map(place => join(place, program))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false // not there, or not to be run
      }
    })
}

/** Why no real node can be run here; null when it was asked for and can. */
export function cannotRunNode(): string | null {
  if (process.env.GKUBE_TEST_KUBELET !== '1') return 'they run when GKUBE_TEST_KUBELET=1 asks for them'
  if (process.env.GKUBE_TEST_KUBERNETES) return 'they run on the current minor only'
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'they need root on Linux'
  const missing = wanted.filter(program => !which(program))
  if (missing.length > 0) return `${missing.join(', ')} not found`
  const busybox = readFileSync(which('busybox') ?? '')
  if (busybox.includes('/ld-linux') || busybox.includes('/ld-musl'))
    return 'busybox must be a static one (busybox-static)'
  const tried = spawnSync('unshare', [...space, 'true'], { timeout: 5_000, encoding: 'utf8' })
  return tried.status === 0 ? null : `namespaces cannot be made: ${tried.stderr.trim()}`
}

/** One node with these images and no registry. */
export function realNode(images: readonly string[]): Nodes {
  const client = (folder: string, ending: string) => join(folder, `kubelet-client.${ending}`)
  return {
    count: 1,
    async flags(folder) {
      // Only who has this key is let in: a kubelet runs commands as anybody.
      const key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
      const names = '-subj /CN=gkube-test -addext extendedKeyUsage=clientAuth'
      const files = ['-keyout', client(folder, 'key'), '-out', client(folder, 'crt')]
      const args = [...`req -x509 -days 2 ${key} ${names}`.split(' '), ...files]
      await run('openssl', args, { timeout: 30_000 })
      return [
        `--kubelet-client-certificate=${client(folder, 'crt')}`,
        `--kubelet-client-key=${client(folder, 'key')}`,
        // The node is called localhost: no address of this machine is needed, and none is listened on.
        '--kubelet-preferred-address-types=Hostname',
      ]
    },
    async start({ folder: plane, kubeconfig, built, launch, ends }) {
      const folder = join(plane, 'node')
      const program = await kubelet(built, line => void process.stdout.write(`cluster: ${line}\n`))
      mkdirSync(join(folder, 'cni/taken'), { recursive: true })
      mkdirSync(join(folder, 'cni/conf'))
      for (const name of ['gkube-test', 'loopback'])
        writeFileSync(join(folder, 'cni', name), readFileSync(here('cni.sh')), { mode: 0o755 })
      writeFileSync(join(folder, 'cni/net'), String(randomInt(1, 255)))
      const conf = { cniVersion: '0.4.0', name: 'gkube-test', plugins: [{ type: 'gkube-test' }] }
      writeFileSync(join(folder, 'cni/conf/1.conflist'), JSON.stringify(conf))
      writeFileSync(join(folder, 'containerd.toml'), containerdConfig(folder))
      const config = kubeletConfig({ folder, port: await freePort(), ca: client(plane, 'crt') })
      writeFileSync(join(folder, 'kubelet.yaml'), stringify(config))
      await writeImages(join(folder, 'images.tar'), which('busybox') ?? '', images)
      ends.push(() => removeGroups(plane))
      const flags = [
        `--config=${join(folder, 'kubelet.yaml')}`,
        `--kubeconfig=${kubeconfig}`,
        '--hostname-override=localhost',
        `--root-dir=${join(folder, 'kubelet')}`,
        `--cert-dir=${join(folder, 'certificates')}`,
      ]
      const node = launch('node', 'unshare', [
        ...space,
        ...['sh', here('run-node.sh'), folder, program, ...flags],
      ])
      // `unshare` waits out a gentle signal; its end ends all that runs in there.
      ends.push(() => void node.child.kill('SIGKILL'))
      return node
    },
  }
}

const containerdConfig = (folder: string): string => `version = 2
root = "${folder}/containerd"
state = "${folder}/state"
[grpc]
address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pauseImage}"
# This machine may not let it lower the score of anything.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${folder}/cni"
conf_dir = "${folder}/cni/conf"
`

type Of = { readonly folder: string; readonly port: number; readonly ca: string }

const kubeletConfig = ({ folder, port, ca }: Of) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  address: '127.0.0.1',
  port,
  healthzPort: 0,
  authentication: { anonymous: { enabled: false }, webhook: { enabled: false }, x509: { clientCAFile: ca } },
  authorization: { mode: 'AlwaysAllow' },
  containerRuntimeEndpoint: `unix://${folder}/containerd.sock`,
  podLogsDir: join(folder, 'pod-logs'),
  volumePluginDir: join(folder, 'volume-plugins'),
  // A node among other things on this machine: no groups of its own, no share of it kept or fought for.
  failCgroupV1: false,
  cgroupDriver: 'cgroupfs',
  cgroupsPerQOS: false,
  enforceNodeAllocatable: [],
  oomScoreAdj: 0,
  failSwapOn: false,
  localStorageCapacityIsolation: false,
  evictionHard: Object.fromEntries(
    ['memory.available', 'nodefs.available', 'nodefs.inodesFree', 'imagefs.available'].map(it => [it, '0%']),
  ),
  imageGCHighThresholdPercent: 100,
  resolvConf: '',
  clusterDNS: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
})
