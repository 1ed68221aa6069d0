// app-manifest.yml: of the form and within the limits of Slack's manifest 2.0, and equal to what gkube does: its command,
// its one address, the scopes of the methods it calls, the events it listens to.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { configSchema } from '../src/config/schema.ts'

/** As Slack documents it; strict, so that a key which Slack would refuse shows here. */
const address = z.url({ protocol: /^https$/ })
const manifestSchema = z.strictObject({
  _metadata: z.strictObject({ major_version: z.literal(2), minor_version: z.int() }),
  display_information: z.strictObject({
    name: z.string().min(1).max(35),
    description: z.string().max(140),
    background_color: z.string().regex(/^#[0-9a-f]{6}$/i),
    long_description: z.string().min(174).max(4000),
  }),
  features: z.strictObject({
    app_home: z.strictObject({
      home_tab_enabled: z.literal(true),
      messages_tab_enabled: z.boolean(),
      messages_tab_read_only_enabled: z.boolean(),
    }),
    bot_user: z.strictObject({ display_name: z.string().max(80), always_online: z.boolean() }),
    slash_commands: z
      .array(
        z.strictObject({
          command: z
            .string()
            .regex(/^\/[a-z0-9_-]+$/)
            .max(32),
          url: address,
          description: z.string().max(2000),
          usage_hint: z.string().max(1000),
          should_escape: z.boolean(),
        }),
      )
      .max(50),
  }),
  oauth_config: z.strictObject({ scopes: z.strictObject({ bot: z.array(z.string()).max(255) }) }),
  settings: z.strictObject({
    event_subscriptions: z.strictObject({ request_url: address, bot_events: z.array(z.string()).max(100) }),
    interactivity: z.strictObject({
      is_enabled: z.literal(true),
      request_url: address,
      message_menu_options_url: address,
    }),
    org_deploy_enabled: z.boolean(),
    socket_mode_enabled: z.boolean(),
    token_rotation_enabled: z.literal(false),
  }),
})

/** What each method that gkube calls asks for. */
const scopeOfMethods: Readonly<Record<string, readonly string[]>> = {
  'a slash command': ['commands'],
  'chat.postMessage, chat.update, chat.postEphemeral': ['chat:write'],
  'users.info': ['users:read'],
  'users.lookupByEmail': ['users:read.email'],
  'usergroups.users.list': ['usergroups:read'],
  'conversations.info': ['channels:read', 'groups:read'],
  'conversations.open': ['im:write'],
  'files.completeUploadExternal': ['files:write'],
  'conversations.history, conversations.replies': ['channels:history', 'groups:history'],
}

const manifest = manifestSchema.parse(parse(readFileSync('app-manifest.yml', 'utf8')))

it('asks for the scopes that it uses, and for no more', () => {
  expect(manifest.oauth_config.scopes.bot.toSorted()).toEqual(Object.values(scopeOfMethods).flat().toSorted())
})

it('has the command that is registered by default, escaped, so that people arrive as ids', () => {
  const { slack } = configSchema.parse({ environments: { staging: {} }, slack: {} })
  expect(manifest.features.slash_commands.map(one => one.command)).toEqual([slack?.command])
  expect(manifest.features.slash_commands[0]?.should_escape).toBe(true)
})

it('sends everything to one address, menus of messages too', () => {
  const { event_subscriptions, interactivity } = manifest.settings
  const all = [
    event_subscriptions.request_url,
    interactivity.request_url,
    interactivity.message_menu_options_url,
    ...manifest.features.slash_commands.map(one => one.url),
  ]
  expect(new Set(all)).toEqual(new Set(['https://gkube.example.com/slack/events']))
})

it('is told when App Home is opened', () => {
  expect(manifest.settings.event_subscriptions.bot_events).toEqual([
    'app_home_opened',
    'member_joined_channel',
  ])
})
