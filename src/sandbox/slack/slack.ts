// The stand-in Slack workspace: Web API, signed requests, Socket Mode and a control, on one port of 127.0.0.1.
// For laptops and tests only; README.md says what it cannot do. This file wires the parts.
import type { SandboxSlack, SlackOptions } from './control.ts'

/** Starts a fresh workspace; nothing is kept after stop(). */
export async function startSlack(_options: SlackOptions = {}): Promise<SandboxSlack> {
  throw new Error('the stand-in Slack is being built')
}
