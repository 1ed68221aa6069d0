// Routes about who may do what and when: locks, tokens, and who the caller is.
import { z } from 'zod'
import { tokenInput } from '../../core/access/verbs.ts'
import { freezeSchema } from '../../core/coordination.ts'
import {
  freezeInput,
  freezeWindowRow,
  lockInput,
  lockSchema,
  unfreezeInput,
  unlockInput,
} from '../../core/core.ts'
import { check, token, whoami } from './answers.ts'
import { json, nothing, type Route, route } from './route.ts'

const tokenId = z.string().regex(/^[0-9A-Za-z_-]{1,60}$/, 'a token id as `gkube token list` shows it')

export const accessRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/locks',
    id: 'locks',
    summary: 'All locks',
    tag: 'locks',
    answer: z.object({ locks: z.array(lockSchema) }),
    handle: async (core, { caller }) => json({ locks: await core.locks(caller) }),
  }),
  route({
    method: 'PUT',
    path: '/v1/locks',
    id: 'lock',
    summary: 'Hold deploys of an app, an environment, or everything',
    tag: 'locks',
    body: lockInput,
    answer: z.object({ lock: lockSchema }),
    handle: async (core, { caller, body }) => json({ lock: await core.lock(caller, body) }),
  }),
  route({
    method: 'DELETE',
    path: '/v1/locks',
    id: 'unlock',
    summary: 'Take a lock away',
    tag: 'locks',
    body: unlockInput,
    answer: null,
    handle: async (core, { caller, body }) => {
      await core.unlock(caller, body)
      return nothing
    },
  }),
  route({
    method: 'GET',
    path: '/v1/freezes',
    id: 'freezes',
    summary: 'Freezes that hold now, and the windows of gkube.yaml in which they recur',
    tag: 'locks',
    answer: z.object({ freezes: z.array(freezeSchema), windows: z.array(freezeWindowRow) }),
    handle: async (core, { caller }) =>
      json({ freezes: await core.freezes(caller), windows: await core.freezeWindows(caller) }),
  }),
  route({
    method: 'PUT',
    path: '/v1/freezes',
    id: 'freeze',
    summary: 'Hold every deploy to an environment until a time; named people may override',
    tag: 'locks',
    body: freezeInput,
    answer: z.object({ freeze: freezeSchema }),
    handle: async (core, { caller, body }) => json({ freeze: await core.freeze(caller, body) }),
  }),
  route({
    method: 'DELETE',
    path: '/v1/freezes',
    id: 'unfreeze',
    summary: 'End a freeze',
    tag: 'locks',
    body: unfreezeInput,
    answer: null,
    handle: async (core, { caller, body }) => {
      await core.unfreeze(caller, body)
      return nothing
    },
  }),
  route({
    method: 'POST',
    path: '/v1/tokens',
    id: 'createToken',
    summary: 'Make a token; its secret is shown this once',
    tag: 'tokens',
    body: tokenInput,
    status: 201,
    answer: z.object({ token: z.string(), info: token }),
    handle: async (core, { caller, body }) => ({
      kind: 'json',
      status: 201,
      body: await core.createToken(caller, body),
    }),
  }),
  route({
    method: 'GET',
    path: '/v1/tokens',
    id: 'listTokens',
    summary: 'All tokens, without their secrets',
    tag: 'tokens',
    answer: z.object({ tokens: z.array(token) }),
    handle: async (core, { caller }) => json({ tokens: await core.listTokens(caller) }),
  }),
  route({
    method: 'DELETE',
    path: '/v1/tokens/{id}',
    id: 'revokeToken',
    summary: 'Revoke a token at once',
    tag: 'tokens',
    params: z.strictObject({ id: tokenId }),
    answer: null,
    handle: async (core, { caller, params }) => {
      await core.revokeToken(caller, params.id)
      return nothing
    },
  }),
  route({
    method: 'GET',
    path: '/v1/whoami',
    id: 'whoami',
    summary: 'Who the token is, what it may do where, and by which grant',
    tag: 'tokens',
    answer: whoami,
    handle: async (core, { caller }) => json({ ...(await core.whoami(caller)), grants: caller.grants }),
  }),
  route({
    method: 'GET',
    path: '/v1/doctor',
    id: 'doctor',
    summary: 'Everything this replica talks to, tried now, and how to mend what fails',
    tag: 'tokens',
    answer: z.object({ checks: z.array(check) }),
    handle: async (core, { caller }) => json({ checks: await core.doctor(caller) }),
  }),
]
