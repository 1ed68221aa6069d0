// How etcd itself is: for readiness, `gkube doctor` and metrics.
// etcd 3.4 tells its quota only among its metrics, on the same address; where it does not, it is left out.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Client, EtcdConfig } from './client.ts'

export type EtcdStatus = {
  readonly version: string
  /** Bytes of the database file. */
  readonly dbSize: number
  /** Bytes at which etcd stops taking writes. */
  readonly dbQuota?: number
  /** Such as `NOSPACE`. */
  readonly alarms: readonly string[]
}

/** Asks one member; UserError `unavailable` when none answers. */
export async function etcdStatus(client: Client, config: EtcdConfig): Promise<EtcdStatus> {
  const [status, alarms, dbQuota] = await Promise.all([
    client.call('ranges', ({ options }) => client.etcd.maintenance.status(options)),
    client.call('ranges', ({ options }) => client.etcd.maintenance.alarm({ action: 'Get' }, options)),
    quota(config),
  ])
  return {
    version: status.version,
    dbSize: Number(status.dbSize),
    ...(dbQuota !== undefined && { dbQuota }),
    alarms: alarms.alarms.map(({ alarm }) => String(alarm).toUpperCase()),
  }
}

/** The quota of the first endpoint that tells it; undefined otherwise: it is a help, not a duty. */
async function quota({ endpoints, tls }: EtcdConfig): Promise<number | undefined> {
  const url = new URL('/metrics', endpoints[0])
  const text = await new Promise<string>((resolve, reject) => {
    const options = { ca: tls?.ca, cert: tls?.cert, key: tls?.key, servername: tls?.serverName }
    const signal = AbortSignal.timeout(1000)
    const request =
      url.protocol === 'https:' ? httpsRequest(url, { ...options, signal }) : httpRequest(url, { signal })
    request.on('error', reject)
    request.on('response', response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', chunk => {
        body += chunk
      })
      response.on('end', () => resolve(body))
      response.on('error', reject)
    })
    request.end()
  }).catch(() => '')
  const [, value] = /^etcd_server_quota_backend_bytes (\S+)$/m.exec(text) ?? []
  return value ? Number(value) : undefined
}
