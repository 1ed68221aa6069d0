// An answer of the Web API that is not ok: Slack's code and whatever fields come with it. Thrown by methods, answered
// with HTTP 200 in web-api.ts, as Slack does.
export class SlackError extends Error {
  readonly code: string
  readonly fields: Readonly<Record<string, unknown>>

  constructor(code: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(code)
    this.name = 'SlackError'
    this.code = code
    this.fields = fields
  }
}

/** `invalid_blocks` or `invalid_arguments` with what is wrong and where, as Slack words it. */
export const refusedFor = (code: string, problems: readonly string[]): SlackError =>
  new SlackError(code, {
    errors: problems,
    response_metadata: { messages: problems.map(problem => `[ERROR] ${problem}`) },
  })
