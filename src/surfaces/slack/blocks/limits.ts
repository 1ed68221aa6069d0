// Slack's limits, in characters where nothing else is said (docs.slack.dev, Block Kit and chat.postMessage). What is
// sent is counted: `&` costs five. fit.ts holds whole messages to them, elements.ts each part.
export const limits = {
  blocks: 50,
  viewBlocks: 100,
  /** Bytes of a view as JSON. */
  view: 250_000,
  /** Of `text` beside the blocks. */
  text: 40_000,
  /** Of all blocks of a message together: not documented, refused as msg_blocks_too_long from about 13,200 on. */
  together: 12_000,
  section: 3000,
  header: 150,
  contextElements: 10,
  contextText: 2000,
  actions: 25,
  button: 75,
  value: 2000,
  url: 3000,
  confirmTitle: 100,
  confirmText: 300,
  confirmButton: 30,
} as const
