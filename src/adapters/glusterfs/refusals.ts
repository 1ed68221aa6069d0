// Pure: what gluster says when it refuses, as a PoolError that says what to do. Told apart by text: the numbers are the
// same for most (30800), and some have none. Texts are those of GlusterFS 10; unknown ones are shown as they are.
import { PoolError } from '../../core/volumes/pool.ts'

export type Asked = {
  /** A key of `pools`. */
  readonly pool: string
  readonly volume: string
  /** What was asked, such as `volume create`. */
  readonly what: string
}
/** `remote`: asked from another machine with --remote-host. */
type Where = { readonly where: string; readonly remote: boolean }
type Said = { readonly errno: number; readonly message: string }

/** Found nowhere: GlusterFS says so by number or by text. */
export const saysNoVolume = ({ errno, message }: Said): boolean =>
  errno === 30806 || /^Volume \S+ does not exist/.test(message)
export const saysStopped = ({ message }: Said): boolean =>
  /is not (in the )?started( state)?|Volume is stopped/.test(message)
export const saysExists = ({ message }: Said): boolean => /already exists/.test(message)
export const saysStarted = ({ message }: Said): boolean => /already started/.test(message)
export const saysQuotaOff = ({ message }: Said): boolean => /Quota is (disabled|not enabled)/i.test(message)
export const saysQuotaOn = ({ message }: Said): boolean => /Quota is already enabled/.test(message)
export const saysNoLimit = ({ message }: Said): boolean =>
  /No data available|No quota configured/.test(message)
/** Another command holds the lock of the volume or of the whole pool: it is over in moments. */
export const saysBusy = ({ message }: Said): boolean =>
  /another transaction is in progress|locking failed|please try again after/i.test(message)

type Words = (asked: Asked, said: string) => string
const table: readonly (readonly [(said: Said) => boolean, PoolError['code'], Words])[] = [
  [
    saysNoVolume,
    'not_found',
    ({ pool, volume }) =>
      `There is no GlusterFS volume ${volume}. Make it, or look at pools.${pool}.volume (gluster volume list).`,
  ],
  [
    saysStopped,
    'unavailable',
    ({ volume }) => `The GlusterFS volume ${volume} is stopped. Start it: gluster volume start ${volume}`,
  ],
  [
    said => /has been started/.test(said.message),
    'refused',
    ({ volume }) =>
      `The GlusterFS volume ${volume} runs and is not deleted. Stop it first: gluster volume stop ${volume}`,
  ],
  [
    saysExists,
    'exists_differently',
    ({ volume }) =>
      `There is a GlusterFS volume ${volume} already, which is left alone. Rename or delete it.`,
  ],
  [
    said => /Peer in Cluster/.test(said.message),
    'refused',
    ({ pool }, said) =>
      `${said} Every host of pools.${pool}.own.bricks must be a server of the pool: gluster peer probe <host>`,
  ],
  [
    said => /other than localhost|loopback address/.test(said.message),
    'refused',
    ({ pool }) =>
      `GlusterFS takes no brick on localhost or 127.0.0.1: name the server itself in pools.${pool}.own.bricks.`,
  ],
  [
    said => /root partition|is a mount point|setup is not optimal/.test(said.message),
    'refused',
    ({ pool }, said) => `GlusterFS warns: ${said} If it is meant so, set pools.${pool}.own.force: true.`,
  ],
  [
    said => /may be containing|already part of a volume|already used/.test(said.message),
    'exists_differently',
    (_, said) => `A brick's folder belongs to another volume: ${said}`,
  ],
  [
    said => /Failed to create brick directory/.test(said.message),
    'refused',
    ({ pool }, said) => `${said} The folders of pools.${pool}.own.bricks must be there, on each server.`,
  ],
  [
    said => /LVM commands not found|thin(ly)?[ -]provisioned|Snapshot is supported only/i.test(said.message),
    'unsupported',
    ({ pool, volume }, said) =>
      `No snapshot can be made of ${volume}: ${said} Snapshots need bricks on thinly provisioned LVM; set pools.${pool}.snapshots: false where they are not.`,
  ],
  [
    saysQuotaOff,
    'refused',
    ({ volume }) => `Quota is off on ${volume}. Switch it on: gluster volume quota ${volume} enable`,
  ],
  [
    said => saysBusy(said) || /quorum/i.test(said.message),
    'unavailable',
    ({ volume }, said) => `GlusterFS does not change ${volume} now: ${said} Try again in a moment.`,
  ],
  [
    said =>
      said.errno === 107 ||
      /not connected|Not able to fetch volfile|(Staging|Commit) failed on/.test(said.message),
    'unavailable',
    ({ what }, said) =>
      `A GlusterFS server did not take part in \`gluster ${what}\`: ${said} Look at \`gluster peer status\`.`,
  ],
]

/** The error that an answer with opRet other than 0 is. */
export function refusalOf(said: Said, asked: Asked): PoolError {
  const text = sentence(said.message)
  for (const [matches, code, words] of table)
    if (matches(said)) return new PoolError(code, words(asked, text))
  return new PoolError('refused', `GlusterFS refused \`gluster ${asked.what}\` (${said.errno}): ${text}`)
}

/** What came was no answer at all: a daemon that is down, a mistake of ours, or a message that knows no XML. */
export function plainRefusal(text: string, asked: Asked & Where): PoolError {
  if (/Connection failed|Connection refused|daemon is operational/i.test(text))
    return new PoolError(
      'unavailable',
      `glusterd does not answer on ${asked.where}. Start it there (systemctl start glusterd), or look at pools.${asked.pool}.reach.`,
    )
  if (text === '' && asked.remote)
    return new PoolError(
      'refused',
      `glusterd on ${asked.where} lets other machines look and change nothing (--remote-host). Let gkube run gluster there by SSH (pools.${asked.pool}.reach.kind: ssh), or encrypt its management by TLS (secure-access).`,
    )
  if (/permission denied|must be (run as )?root|not permitted/i.test(text))
    return new PoolError(
      'refused',
      `gluster must run as root on ${asked.where}: ${sentence(text)} With SSH, pools.${asked.pool}.reach.sudo does that.`,
    )
  return refusalOf({ errno: 0, message: text.split('\n\n')[0] ?? '' }, asked)
}

/** One line with a full stop. */
function sentence(message: string): string {
  const line = message.replace(/\s+/g, ' ').trim().slice(0, 400) || 'no reason given'
  return /[.!?]$/.test(line) ? line : `${line}.`
}
