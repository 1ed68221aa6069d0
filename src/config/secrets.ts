// What gkube.yaml only points to: passwords in files and variables, PEM files, Docker's config.json.
// Every failure becomes a finding that names the key and the path, never what a file holds.
import { isAbsolute, join } from 'node:path'
import { z } from 'zod'
import type { Path } from '../core/problems.ts'
import type { Report } from './problems.ts'
import type { ParsedConfig } from './schema.ts'

export type Read = (path: string) => string
export type Env = Readonly<Record<string, string | undefined>>
export type Registry = {
  readonly host: string
  readonly username: string | null
  readonly password: string | null
  readonly insecure: boolean
}
export type Tls = {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly serverName?: string
}

/** Reads what the configuration points to. `folder` is where relative paths begin; problems are collected. */
export function secretsOf(options: {
  readonly read: Read
  readonly env: Env
  readonly folder: string
  readonly report: Report
  /** Leave them unread: for commands that need none, on a machine that has none. */
  readonly ignore: boolean
}) {
  const { read, env, folder, report, ignore } = options

  function file(path: Path, name: string | undefined): string | undefined {
    if (name === undefined || ignore) return undefined
    const where = isAbsolute(name) ? name : join(folder, name)
    try {
      const text = read(where)
      if (text.trim() !== '') return text
      report({ path, expected: `a file that is not empty: ${where} is` })
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unreadable'
      report({ path, expected: `a file that can be read: ${where}, ${reasons[code] ?? code}` })
    }
    return undefined
  }

  function variable(path: Path, name: string | undefined): string | undefined {
    if (name === undefined || ignore) return undefined
    const value = env[name]
    if (value) return value
    report({ path, expected: `the environment variable ${name} to be set` })
    return undefined
  }

  /** A secret from `<key>File` or `<key>Env` of one section. */
  function secret(path: Path, key: string, from: Readonly<Record<string, unknown>>): string | undefined {
    const byFile = from[`${key}File`] as string | undefined
    const byEnv = from[`${key}Env`] as string | undefined
    if (byFile !== undefined && byEnv !== undefined) {
      report({ path: [...path, `${key}Env`], seen: byEnv, expected: `${key}File or ${key}Env, not both` })
      return undefined
    }
    return file([...path, `${key}File`], byFile)?.trim() ?? variable([...path, `${key}Env`], byEnv)
  }

  function pem(path: Path, name: string | undefined): string | undefined {
    const text = file(path, name)
    if (text === undefined || text.includes('-----BEGIN ')) return text
    report({ path, seen: name, expected: 'a PEM file, which begins with -----BEGIN' })
    return undefined
  }

  function tls(section: ParsedConfig['etcd']['tls']): Tls | undefined {
    if (!section) return undefined
    const path = ['etcd', 'tls']
    if ((section.cert === undefined) !== (section.key === undefined))
      report({
        path: [...path, section.cert === undefined ? 'key' : 'cert'],
        seen: section.cert ?? section.key,
        expected: 'cert and key together, or neither',
      })
    return {
      ca: pem([...path, 'ca'], section.ca),
      cert: pem([...path, 'cert'], section.cert),
      key: pem([...path, 'key'], section.key),
      serverName: section.serverName,
    }
  }

  function registries(list: ParsedConfig['registries']): Registry[] {
    return list.flatMap((item, i) =>
      item.dockerConfig === undefined ? oneHost(['registries', i], item) : manyHosts(['registries', i], item),
    )
  }

  function manyHosts(path: Path, item: ParsedConfig['registries'][number]): Registry[] {
    if (item.host !== undefined || item.username !== undefined)
      report({ path, expected: 'either dockerConfig, or host (with username), not both' })
    const name = item.dockerConfig
    const text = file([...path, 'dockerConfig'], name)
    return text === undefined ? [] : dockerHosts([...path, 'dockerConfig'], name, text)
  }

  function oneHost(path: Path, item: ParsedConfig['registries'][number]): Registry[] {
    const { host, username, insecure } = item
    if (host === undefined) {
      report({ path, seen: item, expected: 'a host, or a dockerConfig' })
      return []
    }
    const asks = item.passwordFile !== undefined || item.passwordEnv !== undefined
    const password = secret(path, 'password', item)
    if ((username !== undefined) !== asks)
      report({
        path: [...path, 'username'],
        seen: username,
        expected: 'username together with passwordFile or passwordEnv',
      })
    if (insecure && !isLoopback(host))
      report({
        path: [...path, 'insecure'],
        seen: true,
        expected: `https: http is for a registry on this machine only, and ${host} is not`,
      })
    return [{ host, username: username ?? null, password: password ?? null, insecure }]
  }

  function dockerHosts(path: Path, name: string | undefined, text: string): Registry[] {
    const parsed = dockerConfigSchema.safeParse(json(text))
    if (!parsed.success) {
      report({ path, seen: name, expected: "Docker's config.json: {auths: {<host>: {auth: <base64>}}}" })
      return []
    }
    return Object.entries(parsed.data.auths).flatMap(([key, entry]) => {
      const [user, password] = entry.auth
        ? split(Buffer.from(entry.auth, 'base64').toString('utf8'))
        : [entry.username, entry.password]
      const host = hostOfDockerKey(key)
      if (user && password) return [{ host, username: user, password, insecure: false }]
      report({
        path,
        seen: name,
        expected: `a username and password for ${host}; credential helpers are not supported`,
      })
      return []
    })
  }

  return { secret, tls, registries }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
}

const dockerConfigSchema = z.object({
  auths: z
    .record(
      z.string(),
      z.object({
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
      }),
    )
    .refine(auths => Object.keys(auths).length > 0),
})

const json = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Reported by the caller as a file of the wrong form; what it holds must not be shown.
    return null
  }
}

const split = (text: string): [string, string] => {
  const colon = text.indexOf(':')
  return colon < 0 ? ['', ''] : [text.slice(0, colon), text.slice(colon + 1)]
}

/** `https://index.docker.io/v1/` and `registry.example.com/team` as image references name the host. */
function hostOfDockerKey(key: string): string {
  const host = key.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host
}

/** True for names and addresses that never leave this machine. */
export const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host.toLowerCase())
