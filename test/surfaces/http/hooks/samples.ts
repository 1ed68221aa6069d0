// Hooks as they are on the wire: each plugin's own shape with all its fields, to be changed by the tests.

type Fields = Readonly<Record<string, unknown>>

/** As the Notification plugin posts it: Gson, snake_case, fields that are null are left out. */
export const notification = (build: Fields = {}, top: Fields = {}) => ({
  name: 'web',
  display_name: 'web',
  url: 'job/shop/job/web/',
  build: {
    full_url: 'https://jenkins.example.com/job/shop/job/web/214/',
    number: 214,
    queue_id: 77,
    timestamp: 1_790_000_000_000,
    duration: 0,
    phase: 'STARTED',
    url: 'job/shop/job/web/214/',
    scm: {
      url: 'https://git.example.com/shop/web.git',
      branch: 'origin/main',
      commit: '3fa9c1e0b7d24f6a8c5e1d3b2a4f6c8e0d1b3a5f',
      changes: [],
      culprits: [],
    },
    parameters: { TARGET: 'staging', RETRIES: '3' },
    log: '',
    artifacts: {},
    ...build,
  },
  ...top,
})

/** As the CloudEvents plugin posts the data of an event of a build: Jackson, camelCase, with nulls. */
export const cloudData = (build: Fields = {}, top: Fields = {}) => ({
  userId: null,
  userName: null,
  name: 'web',
  displayName: 'web',
  url: 'job/shop/job/web/',
  build: {
    fullUrl: 'https://jenkins.example.com/job/shop/job/web/214/',
    number: 214,
    queueId: 77,
    timestamp: 1_790_000_000_000,
    duration: 0,
    phase: 'STARTED',
    status: null,
    url: 'job/shop/job/web/214/',
    displayName: null,
    parameters: null,
    scmState: { url: null, branch: 'origin/main', commit: '3fa9c1e' },
    ...build,
  },
  ...top,
})

export const binary = (type: string) => ({
  'ce-specversion': '1.0',
  'ce-id': '5e2c1f2a-1111-4222-8333-444455556666',
  'ce-source': 'job/web',
  'ce-type': type,
})

/** The same event in one JSON. */
export const envelope = (type: string, data: unknown) => ({
  specversion: '1.0',
  id: '5e2c1f2a-1111-4222-8333-444455556666',
  source: 'job/web',
  type,
  datacontenttype: 'application/json',
  data,
})

/** What somebody writes with curl. */
export const plain = (fields: Fields = {}) => ({
  job: 'shop/web',
  number: 214,
  result: 'SUCCESS',
  url: 'https://jenkins.example.com/job/shop/job/web/214/',
  ...fields,
})
