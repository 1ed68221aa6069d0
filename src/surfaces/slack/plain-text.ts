// A command's text as Slack sends it → as the person typed it: mentions, channels, links and entities are undone.
// Who is meant by a command is never taken from its text: names here are for reasons that people read.

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>' }

/** `<@U1|ana>` → `@ana`, `<#C1|x>` → `#x`, `<http://web.io|web.io>` → `web.io`, `&amp;` → `&`. Never throws. */
export const plainText = (text: string): string =>
  text
    .replace(
      /<([@#!]?)([^<>|]{1,3000})(?:\|([^<>]{0,3000}))?>/g,
      (_whole, kind: string, id: string, label?: string) => shown(kind, id, label ?? ''),
    )
    .replace(/&(?:amp|lt|gt);/g, entity => entities[entity] ?? entity)

function shown(kind: string, id: string, label: string): string {
  switch (kind) {
    case '@':
    case '#':
      return `${kind}${label || id}`
    case '!': {
      // `subteam^S1`, `here`, `date^…`
      const [what = ''] = id.split('^')
      return label ? (label.startsWith('@') ? label : `@${label}`) : `@${what}`
    }
    default:
      // A host name or an address that Slack made a link of: what stood there.
      return label || id.replace(/^mailto:/, '')
  }
}
