// Archives as no tool would make them: tar and zip are written byte by byte, so that every name, link and size can lie.
// The publish tests and the fuzzer share it.
import { crc32, deflateRawSync } from 'node:zlib'

export type Made = {
  readonly name: string
  /** tar's type flag: 0 file, 1 hard link, 2 symbolic link, 3 and 4 devices, 5 folder, 6 pipe. */
  readonly type?: string
  readonly content?: string | Buffer
  readonly link?: string
  readonly mode?: number
  /** The size that is said, where it is not that of the content. */
  readonly size?: number
}

const contentOf = ({ content = '' }: Made): Buffer =>
  typeof content === 'string' ? Buffer.from(content) : content

function tarHeader(entry: Made, name: Buffer, link: Buffer, size: number): Buffer {
  const header = Buffer.alloc(512)
  name.copy(header, 0, 0, 100)
  header.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
  header.write('14000000000\0', 136)
  header.write('        ', 148)
  header.write(entry.type ?? '0', 156)
  link.copy(header, 157, 0, 100)
  header.write('ustar\x0000', 257)
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return header
}

const padded = (content: Buffer): Buffer =>
  Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)])

/** Long names and links go as GNU tar writes them. `end: false` leaves the end away. */
export function tarOf(entries: readonly Made[], { end = true }: { end?: boolean } = {}): Buffer {
  const parts = entries.flatMap(entry => {
    const name = Buffer.from(entry.name)
    const link = Buffer.from(entry.link ?? '')
    const content = contentOf(entry)
    const long = (type: string, text: Buffer) => {
      const body = Buffer.concat([text, Buffer.from('\0')])
      return [
        tarHeader({ name: '', type }, Buffer.from('././@LongLink'), Buffer.alloc(0), body.length),
        padded(body),
      ]
    }
    return [
      ...(link.length > 100 ? long('K', link) : []),
      ...(name.length > 100 ? long('L', name) : []),
      tarHeader(entry, name, link, entry.size ?? content.length),
      padded(content),
    ]
  })
  return Buffer.concat([...parts, Buffer.alloc(end ? 1024 : 0)])
}

const zipMode: Readonly<Record<string, number>> = {
  '0': 0o100000,
  '2': 0o120000,
  '3': 0o020000,
  '5': 0o040000,
  '6': 0o010000,
}

/** A hard link becomes a file: zip has none. `sum: false` writes wrong checksums. */
export function zipOf(entries: readonly Made[], { sum = true }: { sum?: boolean } = {}): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.name)
    const content = entry.type === '2' ? Buffer.from(entry.link ?? '') : contentOf(entry)
    const packed = deflateRawSync(content)
    const head = Buffer.alloc(26)
    head.writeUInt16LE(20, 0)
    head.writeUInt16LE(0x800, 2)
    head.writeUInt16LE(8, 4)
    head.writeUInt32LE(sum ? crc32(content) : 1, 10)
    head.writeUInt32LE(packed.length, 14)
    head.writeUInt32LE(entry.size ?? content.length, 18)
    head.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), head, name, packed])
    const attributes = Buffer.alloc(14)
    attributes.writeUInt32LE(
      (((zipMode[entry.type ?? '0'] ?? 0o100000) | (entry.mode ?? 0o644)) << 16) >>> 0,
      6,
    )
    attributes.writeUInt32LE(offset, 10)
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), head, attributes, name]))
    locals.push(local)
    offset += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(entries.length, 4)
  end.writeUInt16LE(entries.length, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, central, Buffer.from('PK\x05\x06'), end])
}
