// The sections of gkube.yaml about storage: pools on GlusterFS and the store of artifacts. Describes only: schema.ts puts
// the file together, pools.ts and artifacts.ts check these sections and read what they point to.
import { z } from 'zod'
import { duration, label, objectName, quantity } from '../core/units.ts'
import { filePath, variableName } from './values.ts'

const hostName = z
  .string()
  .max(253)
  .regex(
    /^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|[0-9a-fA-F:]+)$/,
    'a host name or address such as gluster-1.example.com',
  )
/** No path that goes up or names an option. */
const directory = z
  .string()
  .max(1000)
  .regex(
    /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9_.@%+=:-]+)+$/,
    'a full path such as /mnt/gv0, without spaces, .. or a slash at the end',
  )

export const pool = z.strictObject({
  volume: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_-]*$/, 'the name of a GlusterFS volume such as gv0')
    .describe('the GlusterFS volume that holds a directory with a quota for each app'),
  servers: z
    .array(hostName)
    .min(1)
    .max(50)
    .describe('the GlusterFS servers, as the nodes of the cluster reach them'),
  reach: z
    .strictObject({
      kind: z
        .enum(['local', 'remote', 'ssh'])
        .describe(
          'where the gluster CLI runs: here, on a server over SSH, or here with --remote-host, which may only look unless the servers encrypt their management',
        ),
      host: hostName.optional().describe('the server, for remote and ssh'),
      port: z.int().min(1).max(65535).default(22).describe('the port of SSH'),
      user: z
        .string()
        .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a user name such as gkube')
        .optional()
        .describe('who gkube is there, for ssh'),
      sudo: z
        .boolean()
        .default(false)
        .describe('put `sudo -n` before each command, where that user is not root'),
      keyFile: filePath.optional().describe('a file that holds the private key, without a passphrase'),
      keyEnv: variableName.optional().describe('the environment variable that holds it'),
      hostKey: z
        .string()
        .max(2000)
        .regex(
          /^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{40,}={0,2}$/,
          "the server's public key, such as ssh-ed25519 AAAA…; ssh-keyscan shows it",
        )
        .optional()
        .describe("the server's public key: no other server is talked to"),
    })
    .describe('how the gluster CLI is reached'),
  mount: directory
    .optional()
    .describe('where the volume is mounted on the machine that the CLI runs on; directories need it'),
  strategy: z
    .enum(['intree', 'nfs-csi', 'kadalu', 'hostpath'])
    .describe(
      'how pods mount it: intree until Kubernetes 1.25, else by a CSI driver or a mount of the nodes',
    ),
  endpoints: z
    .strictObject({
      name: objectName.describe('the name of the Endpoints'),
      namespace: label(63).describe('the namespace they are in'),
    })
    .optional()
    .describe('for intree: Endpoints with the addresses of the servers'),
  nfs: z
    .strictObject({
      server: hostName.describe('the address of NFS-Ganesha'),
      share: directory.describe('the path that it exports the volume as'),
    })
    .optional()
    .describe('for nfs-csi: where the volume is exported'),
  kadalu: z
    .strictObject({ storageClass: objectName.describe('the StorageClass, such as kadalu.shared') })
    .optional()
    .describe('for kadalu: its external pool on the same volume'),
  hostPath: directory.optional().describe('for hostpath: where the volume is mounted on every node'),
  snapshots: z
    .boolean()
    .default(false)
    .describe('make a snapshot before a risky update; bricks must be on thin LVM'),
  own: z
    .strictObject({
      bricks: z
        .array(
          z
            .string()
            .max(1000)
            .regex(
              /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?:(\/(?!\.{1,2}(\/|$))[A-Za-z0-9_.@%+=-]+)+$/,
              'a host and a folder such as gluster-1.example.com:/bricks/gkube',
            ),
        )
        .min(1)
        .max(100)
        .describe('folders that bricks are made in, each on a server of the pool'),
      replica: z.int().min(1).max(9).default(3).describe('copies of each file; 1: none'),
      force: z
        .boolean()
        .default(false)
        .describe('allow what gluster warns of: all copies on one server, bricks on the root disk'),
    })
    .optional()
    .describe('for apps that ask for a volume of their own; left out: none may'),
})

export const artifacts = z.strictObject({
  directory: directory
    .optional()
    .describe('where uploaded artifacts are kept, shared by all replicas; left out: none may be uploaded'),
  maxSize: quantity.default('1Gi').describe('the largest artifact, uploaded or fetched'),
  keep: duration
    .default('168h')
    .describe(
      'an uploaded artifact stays so long after its last upload, and as long as anything refers to it',
    ),
  hosts: z
    .record(
      z
        .string()
        .max(260)
        .regex(
          /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:\d{1,5})?$/,
          'a host in lower case such as artifacts.example.com, with its port unless that is 443',
        ),
      z
        .strictObject({
          credential: objectName
            .optional()
            .describe(
              "a Secret in the app's namespace with a key `token`, or `username` and `password`; `code.credential` of an app goes before it",
            ),
        })
        .nullable(),
    )
    .default({})
    .describe('hosts that code may be fetched from by https, redirects included'),
})

export const publish = z.strictObject({
  image: z
    .string()
    .min(1)
    .max(500)
    .regex(/^[^\s{}]+$/, 'an image reference such as registry.example.com/gkube:1.4.0')
    .optional()
    .describe("gkube's own image, which the Jobs that publish code run; left out: no code can be published"),
  url: z
    .url({ protocol: /^https?$/, hostname: /./ })
    .refine(text => !/[?#@]/.test(text), 'an address without a password, a query or a fragment')
    .optional()
    .describe(
      'gkube as pods reach it, such as http://gkube.gkube.svc; left out: uploaded artifacts cannot be published',
    ),
})
