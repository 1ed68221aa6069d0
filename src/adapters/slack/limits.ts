// How often each Web API method may be called, as a leaky bucket: `burst` calls at once, then one every `everyMs`.
// Pure. Source: Slack's rate limit tiers (1/20/50/100 a minute for each method and workspace) and chat.postMessage's
// one message a second in each channel. Who waits for whom is scheduler.ts.

export type Limit = { readonly burst: number; readonly everyMs: number }
export type Bucket = { readonly tokens: number; readonly at: number }

/**
 * For what gkube sends by itself: even, with a small burst. Two bursts stay within the tier, so that a replica that
 * takes over from another one in the same minute keeps it too.
 */
const steady = (perMinute: number): Limit => {
  const burst = Math.max(1, Math.floor(perMinute * 0.06))
  return { burst, everyMs: Math.ceil(60_000 / Math.max(1, perMinute - 2 * burst - 1)) }
}

/** For what people cause: much at once, and then a pause. */
const sudden = (perMinute: number): Limit => {
  const burst = Math.max(1, Math.floor(perMinute * 0.4))
  return { burst, everyMs: Math.ceil(60_000 / Math.max(1, perMinute - burst - 1)) }
}

const limits: Readonly<Record<string, Limit>> = {
  // No tier of its own: several hundred a minute in a workspace.
  'chat.postMessage': steady(240),
  'chat.update': steady(50),
  'chat.postEphemeral': sudden(100),
  'conversations.open': steady(50),
  'conversations.history': steady(50),
  'conversations.replies': steady(50),
  'conversations.info': sudden(50),
  'users.info': sudden(100),
  'users.lookupByEmail': sudden(50),
  'usergroups.users.list': sudden(20),
  'views.open': sudden(100),
  'views.update': sudden(100),
  'views.publish': sudden(100),
  'files.getUploadURLExternal': sudden(100),
  'files.completeUploadExternal': sudden(100),
  // Special: hundreds of calls a minute.
  'auth.test': sudden(100),
  // An app token's method, tier 1; only doctor calls it.
  'apps.connections.open': { burst: 1, everyMs: 60_000 },
}

/** What is not listed is called as if it were of tier 2. */
export const limitOf = (method: string): Limit => limits[method] ?? steady(20)

/** One message a second, and a little for what the network does to distances in time. */
export const channelLimit: Limit = { burst: 1, everyMs: 1050 }

export const full = (limit: Limit, now: number): Bucket => ({ tokens: limit.burst, at: now })

/** The bucket as it is at `now`. */
export function filled(bucket: Bucket, limit: Limit, now: number): Bucket {
  const tokens = Math.min(limit.burst, bucket.tokens + Math.max(0, now - bucket.at) / limit.everyMs)
  return { tokens, at: now }
}

/** Milliseconds until one call may be made; 0: now. */
export const waitFor = (bucket: Bucket, limit: Limit): number =>
  bucket.tokens >= 1 - 1e-9 ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) * limit.everyMs))

export const spent = (bucket: Bucket): Bucket => ({ ...bucket, tokens: Math.max(0, bucket.tokens - 1) })
