// The console of a build: what Jenkins writes into it beside the text, and the text alone.
// Offsets of the remote API count bytes of the former.

/** A console note, as Jenkins hides links in its log: in the bytes, not in the text. */
export const note = '\u001b[8mha:////4AAAAHdzYW5kYm94\u001b[0m'

/** The log as people read it: without hidden notes. */
export const plainText = (log: Buffer): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how Jenkins marks them
  log.toString('utf8').replace(/\u001b\[8mha:.*?\u001b\[0m/g, '')
