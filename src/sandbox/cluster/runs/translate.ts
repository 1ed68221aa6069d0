// Pure: paths of a container as paths of this machine. There are no mount namespaces here, so what a container knows as
// /srv/data is somewhere else; text that names it (variables, arguments, the script itself) is rewritten before the start.

export type Mount = {
  readonly mountPath: string
  /** Where it really is. */
  readonly real: string
  /** The whole volume, without subPath. */
  readonly volume: string
}

/** Characters that a path goes on with: /srv/data is not meant by /srv/database, nor by https://host/srv/data. */
const before = '(?<![A-Za-z0-9._/-])'
const after = String.raw`(?![A-Za-z0-9_-]|\.[A-Za-z0-9_-])`

/** Rewrites every mount path in a text, once: what comes out is not looked at again. */
export function translator(mounts: readonly Mount[]): (text: string) => string {
  const real = new Map(mounts.map(mount => [plainOf(mount.mountPath), mount.real]))
  const paths = [...real.keys()].filter(path => path !== '').sort((a, b) => b.length - a.length)
  if (paths.length === 0) return text => text
  const pattern = new RegExp(`${before}(?:${paths.map(escaped).join('|')})${after}`, 'g')
  return text => text.replace(pattern, path => real.get(path) ?? path)
}

/** The mount that a full path lies on; the innermost. */
export const mountOf = (mounts: readonly Mount[], path: string): Mount | undefined =>
  mounts
    .filter(({ mountPath }) => path === plainOf(mountPath) || path.startsWith(`${plainOf(mountPath)}/`))
    .sort((a, b) => b.mountPath.length - a.mountPath.length)[0]

const plainOf = (path: string): string => path.replace(/\/+$/, '')
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)
