// Writes the OpenAPI 3.1 document from the route table: the schemas in it are the ones that validate.
// Schemas that several routes share become components; health and metrics, which are not in the table, are added.
import { z } from 'zod'
import { appSchema, appSpecSchema } from '../../core/app.ts'
import { buildSchema, subscriptionSchema } from '../../core/builds/build.ts'
import { lockSchema } from '../../core/core.ts'
import { actorSchema, deploySchema, diagnosisSchema, progressSchema } from '../../core/deploy.ts'
import { workloadSchema } from '../../core/workload.ts'
import * as answers from './answers.ts'
import type { Route } from './route.ts'

const shared: readonly (readonly [string, z.ZodType])[] = [
  ['App', appSchema],
  ['AppSpec', appSpecSchema],
  ['Deploy', deploySchema],
  ['Progress', progressSchema],
  ['Diagnosis', diagnosisSchema],
  ['Workload', workloadSchema],
  ['Lock', lockSchema],
  ['Build', buildSchema],
  ['Subscription', subscriptionSchema],
  ['Actor', actorSchema],
  ['Status', answers.status],
  ['Pod', answers.pod],
  ['Token', answers.token],
  ['Cluster', answers.cluster],
  ['StorageRow', answers.storageRow],
  ['Plan', answers.plan],
  ['AdoptionPlan', answers.adoptionPlan],
  ['Failure', answers.failure],
]

type Io = 'input' | 'output'
type Json = Record<string, unknown>

/** The document of these routes. */
export function openApi(routes: readonly Route[], version: string): Json {
  const used = new Map<string, readonly [z.ZodType, Io]>()
  const schemaOf = (schema: z.ZodType, io: Io): Json => {
    const {
      $schema: _,
      $defs: __,
      ...rest
    } = z.toJSONSchema(schema, {
      io,
      unrepresentable: 'any',
      override: ({ zodSchema, jsonSchema }) => {
        const found = shared.find(([, one]) => Object.is(one, zodSchema))
        if (found && found[1] !== schema) becomeReference(jsonSchema, found, io)
        // An answer may grow fields; only what people send is strict.
        if (io === 'output' && jsonSchema.additionalProperties === false)
          delete jsonSchema.additionalProperties
      },
    })
    return anyJson(rest)
  }
  const becomeReference = (at: Json, [name, schema]: readonly [string, z.ZodType], io: Io) => {
    const component = io === 'input' && name === 'App' ? 'AppInput' : name
    used.set(component, [schema, io])
    for (const key of Object.keys(at)) delete at[key]
    at.$ref = `#/components/schemas/${component}`
  }
  // Wrapped once, so that a shared schema at the top becomes a reference too.
  const refer = (schema: z.ZodType, io: Io): Json =>
    (schemaOf(z.object({ it: schema }), io).properties as { it: Json }).it // it was put there a line above

  const paths: Record<string, Json> = {}
  for (const route of routes) {
    paths[route.path] ??= {}
    const path = paths[route.path]
    if (path) path[route.method.toLowerCase()] = operation(route, refer)
  }
  Object.assign(paths, openPaths(refer))
  const schemas: Record<string, Json> = {}
  // Writing one component may use another: go on until no new name turns up.
  for (let again = true; again; ) {
    again = false
    for (const [name, [schema, io]] of [...used]) {
      if (schemas[name]) continue
      schemas[name] = schemaOf(schema, io)
      again = true
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'gkube',
      version,
      description: 'Deploys of Jenkins jobs to Kubernetes',
      license: { name: 'MIT' },
    },
    security: [{ token: [] }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'made by `gkube token create`' },
      },
    },
  }
}

// The only schema that refers to itself is `any JSON` (z.json()): it needs no definition of its own.
const anyJson = (schema: Json): Json =>
  JSON.parse(JSON.stringify(schema), (_key, value) => (value?.$ref?.startsWith?.('#/$defs/') ? {} : value))

type Refer = (schema: z.ZodType, io: Io) => Json

function operation(route: Route, refer: Refer): Json {
  const parameters = [
    ...fields(route.params, refer).map(field => ({ ...field, in: 'path', required: true })),
    ...fields(route.query, refer).map(field => ({ ...field, in: 'query' })),
    ...Object.entries(route.headers ?? {}).map(([name, description]) => ({
      name,
      description,
      in: 'header',
      schema: { type: 'string' },
    })),
  ]
  return {
    operationId: route.id,
    summary: route.summary,
    tags: [route.tag],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body ? { requestBody: body(route, refer(route.body, 'input')) } : {}),
    responses: {
      ...success(route, refer),
      default: { description: 'It failed', content: jsonContent(refer(answers.failure, 'output')) },
    },
  }
}

const jsonContent = (schema: Json) => ({ 'application/json': { schema } })

const body = (route: Route, schema: Json): Json => ({
  required: true,
  content: { ...jsonContent(schema), ...(route.yaml ? { 'application/yaml': { schema } } : {}) },
})

function success(route: Route, refer: Refer): Json {
  const events = Object.entries(route.events ?? {}).map(([name, schema]) => ({
    title: name,
    ...refer(schema, 'output'),
  }))
  if (!route.answer && !route.lines && events.length === 0) return { 204: { description: 'Done' } }
  const content: Json = route.answer ? jsonContent(refer(route.answer, 'output')) : {}
  if (route.lines)
    content['application/x-ndjson'] = {
      schema: { description: 'JSON lines; each is one of these', ...refer(route.lines, 'output') },
    }
  if (events.length > 0)
    content['text/event-stream'] = {
      schema: { description: `Server-sent events; the data of each is one of these`, oneOf: events },
    }
  return { [route.status ?? 200]: { description: route.summary, content } }
}

function fields(schema: z.ZodType, refer: Refer): { name: string; required?: boolean; schema: unknown }[] {
  const { properties = {}, required = [] } = refer(schema, 'input') as {
    properties?: Record<string, unknown>
    required?: string[]
  } // parameters are always objects: route.ts
  return Object.entries(properties).map(([name, one]) => ({
    name,
    schema: one,
    required: required.includes(name),
  }))
}

function openPaths(refer: Refer): Record<string, Json> {
  const open = (operationId: string, summary: string, content: Json): Json => ({
    get: {
      operationId,
      summary,
      tags: ['server'],
      security: [],
      responses: { 200: { description: summary, content } },
    },
  })
  const health = jsonContent(refer(answers.health, 'output'))
  return {
    '/healthz': open('healthz', 'The process is alive', jsonContent({ type: 'object' })),
    '/readyz': open('readyz', 'Etcd and clusters answer, and it takes work (503 otherwise)', health),
    '/metrics': open('metrics', 'Prometheus metrics', { 'text/plain': { schema: { type: 'string' } } }),
    '/cli': open('cli', 'The command line as one file for Node 18 and later: node gkube.mjs', {
      'text/javascript': { schema: { type: 'string' } },
    }),
    '/openapi.json': open('openapi', 'This document', jsonContent({ type: 'object' })),
  }
}
