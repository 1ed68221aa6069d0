// When and for whom an answer is rendered: answers have no clock, and the command's name is the workspace's choice.

export type At = {
  readonly now: number
  /** The slash command, with its slash. */
  readonly command: string
}
