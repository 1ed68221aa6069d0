// Each command on a running server: what it prints for people, what it prints as JSON, and its exit code.

import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { UserError } from '../../../src/errors.ts'
import { served } from '../serve.ts'
import { tokens } from '../support.ts'
import { cliAt, folder, type How, listener } from './support.ts'

const { core, url } = await served()
const gkube = cliAt(url)
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}
const web = file('web.yaml', 'app: web\nimage: registry.example.com/shop/web:{revision}\njobs: [shop/web]\n')

await gkube(`app apply -f ${web}`)
await gkube('deploy web 1.4.1 -E staging')
await gkube('deploy web 1.4.1 -E production')

describe('for people', () => {
  it.each<{ name: string; line: string; code?: number; out: RegExp; err?: RegExp; how?: How }>([
    { name: 'apply', line: `app apply -f ${web}`, out: /^web unchanged\n$/ },
    {
      name: 'apply, dry',
      line: `app apply -f ${web} --dry-run`,
      out: /^web unchanged \(dry run: nothing was written\)\n$/,
    },
    {
      name: 'apply from stdin',
      line: 'app apply -f -',
      how: { stdin: 'app: api\nimage: a\n' },
      out: /^api created\n$/,
    },
    {
      name: 'list',
      line: 'app list',
      out: /^web {2}service {2}staging 1\.4\.1, production 1\.4\.1 {2}shop\/web$/m,
    },
    { name: 'show', line: 'app show web', out: /^app: web$/m },
    { name: 'render', line: 'app render web -E staging', out: /^kind: Deployment$/m },
    {
      name: 'status',
      line: 'status',
      out: /^web {2}staging {5}1\.4\.1 {2}3\/3 ready {2}just now {2}ana\nweb {2}production {2}1\.4\.1 {2}3\/3 ready/,
    },
    { name: 'status of one', line: 'status web -E staging', out: /^web {2}staging {2}1\.4\.1 .*\n$/ },
    {
      name: 'status of none',
      line: 'status nothing',
      out: /^nothing does not run\. Deploy: gkube deploy nothing 1\.4\.2/,
    },
    {
      name: 'pods',
      line: 'pods web -E staging',
      out: /^web-7c9d-x2x1 {2}ready {13}1\/1 {2}2 restarts {2}3 h ago {2}node-1\nweb-7c9d-bad {3}CrashLoopBackOff {2}0\/1 {2}4 restarts {2}3 h ago {2}node-1 {2}last exit code 1\n$/,
    },
    {
      name: 'pods delete',
      line: 'pods delete web web-7c9d-bad -E staging',
      out: /^web-7c9d-bad is being deleted; web gets a new one\n$/,
    },
    {
      name: 'events',
      line: 'events web -E staging',
      out: /^1 min ago {2}Scheduled {2}Pod web-7c9d-x2x1 +assigned to node-1\n$/,
    },
    {
      name: 'history',
      line: 'history web',
      out: /^01J\w+ {2}production {2}deploy {2}1\.4\.1 {2}succeeded {2}0 s {2}just now {2}ana\n01J\w+ {2}staging/,
    },
    { name: 'history, limited', line: 'history web -E staging --limit 1', out: /^01J\w+ {2}staging .*\n$/ },
    {
      name: 'plan',
      line: 'plan web 1.4.2 -E staging',
      out: /^web 1\.4\.1 → 1\.4\.2 · staging · update\nsteps: apply → rollout → record\n[\s\S]*~ Deployment shop\/web\n {4}- {2}image: a\n {4}\+ {2}image: b\n= Service shop\/web \(no change\)\nnote: the tag is not pinned\n$/,
    },
    {
      name: 'plan, refused',
      line: 'plan web refused -E staging',
      code: 2,
      out: /refused: selector is immutable\n$/,
    },
    {
      name: 'diff',
      line: 'diff web staging production',
      out: /^replicas 1 → 3\n- {2}replicas: 1\n\+ {2}replicas: 3\n$/,
    },
    {
      name: 'cluster',
      line: 'cluster',
      out: /^eu-1 {2}v1\.35\.1 {2}staging, production\n {2}node-1 {2}ready {2}v1\.35\.1 {2}4 cpu {2}16Gi memory {2}12 pods {2}worker\n$/,
    },
    {
      name: 'volumes',
      line: 'volumes',
      out: new RegExp(
        [
          /^environment {2}app {2}storage {2}volume {30}size {5}used {12}health\n/,
          /staging {6}web {2}data {5}gkube-staging-web-data-1f2e3d4c {5}10 GiB {3}3\.2 GiB \(32 %\) {2}3 of 3 bricks online\n/,
          /production {3}web {2}data {5}gkube-production-web-data-9a8b7c6d {2}10 GiB {3}9\.1 GiB \(91 %\) {2}2 of 3 bricks online, 4 entries to heal\n/,
          /staging {6}old {2}files {4}gkube-staging-old-files-5e6f7a8b {4}512 MiB {2}20 KiB \(0 %\) {4}not used any more, 3 of 3 bricks online\n/,
          /staging {6}db {3}data {5}none yet {28}5 GiB {4}- {15}of StorageClass fast: not known\n$/,
        ]
          .map(line => line.source)
          .join(''),
      ),
    },
    { name: 'volumes of one', line: 'volumes old -E staging', out: /^environment.*\nstaging {6}old .*\n$/ },
    { name: 'volumes of none', line: 'volumes api', out: /^api has no storage\n$/ },
    {
      name: 'volumes delete, typed',
      line: 'volumes delete staging/old/files --type staging/old/files',
      out: /^staging\/old\/files is deleted with all that it held\.\nLeft on the servers, to be deleted there by hand: gluster-1:\/bricks\/old\n$/,
    },
    {
      name: 'volumes delete, typed on a terminal',
      line: 'volumes delete staging/old/files',
      how: { tty: true, stdin: 'staging/old/files\n' },
      out: /^staging\/old\/files is deleted/,
      err: /Delete staging\/old\/files with ALL ITS DATA \(20 KiB \(0 %\) of 512 MiB\)\? Type its name/,
    },
    {
      name: 'volumes delete, something else typed',
      line: 'volumes delete staging/old/files',
      how: { tty: true, stdin: 'old\n' },
      code: 2,
      out: /^$/,
      err: /nothing was deleted/,
    },
    {
      name: 'volumes delete with another name',
      line: 'volumes delete staging/old/files --type files',
      code: 2,
      out: /^$/,
      err: /Type its name: staging\/old\/files/,
    },
    {
      name: 'volumes delete, in use',
      line: 'volumes delete staging/web/data --type staging/web/data',
      code: 2,
      out: /^$/,
      err: /web runs in staging/,
    },
    {
      name: 'volumes delete without a terminal',
      line: 'volumes delete staging/old/files',
      code: 2,
      out: /^$/,
      err: /If you are sure: gkube volumes delete staging\/old\/files --type staging\/old\/files/,
    },
    {
      name: 'volumes delete of a StorageClass',
      line: 'volumes delete staging/db/data',
      how: { tty: true },
      code: 2,
      out: /^$/,
      err: /staging\/db\/data is not storage on a pool\. What there is: gkube volumes db -E staging/,
    },
    {
      name: 'volumes delete of nothing',
      line: 'volumes delete data',
      code: 2,
      out: /^$/,
      err: /As environment\/app\/storage/,
    },
    {
      name: 'artifact push for half a revision',
      line: 'artifact push dist.tgz --app web',
      code: 2,
      out: /^$/,
      err: /name both, --app site --revision 1\.4\.2, or neither/,
    },
    { name: 'run', line: 'run web -E staging -- echo -n hi', out: /^echo -n hi\n$/, err: /^to stderr\n$/ },
    {
      name: 'run, failing',
      line: 'run web -E staging -- exit 7',
      code: 7,
      out: /^exit 7\n$/,
      err: /^to stderr\n$/,
    },
    {
      name: 'exec',
      line: 'exec web -E staging --pod web-7c9d-x2x1 -- ls',
      out: /^ls\n$/,
      err: /^to stderr\n$/,
    },
    { name: 'logs', line: 'logs web -E staging --tail 1', out: /line two/ },
    {
      name: 'release without force',
      line: 'release web -E staging --reason x',
      code: 2,
      out: /^$/,
      err: /--force --reason/,
    },
    {
      name: 'release',
      line: 'release web -E staging --force --reason stuck',
      out: /^released active staging\/web\n$/,
    },
    { name: 'lock everything by mistake', line: 'lock --reason oops', code: 2, out: /^$/, err: /--all/ },
    { name: 'lock without a reason', line: 'lock web -E staging', code: 2, out: /^$/, err: /Why\?/ },
    {
      name: 'lock',
      line: 'lock api -E staging --reason fire --for 2d',
      out: /^api in staging is locked; it opens in (2 d|1 d)\n$/,
    },
    {
      name: 'locks',
      line: 'locks',
      out: /^api in staging {2}ana {2}just now {2}until \d{4}-\d\d-\d\d \d\d:\d\d UTC {2}fire\n$/,
    },
    { name: 'unlock', line: 'unlock api -E staging', out: /^api in staging is unlocked\n$/ },
    { name: 'unlock twice', line: 'unlock api -E staging', code: 2, out: /^$/, err: /no such lock/ },
    {
      name: 'token create',
      line: 'token create --name ci --grant deployer:web,api:staging --expires 90d',
      out: /^gk_t1_secret\n$/,
      err: /token t1 for ci, valid for (90|89) d\. It is shown this once/,
    },
    {
      name: 'token list',
      line: 'token list',
      out: /^t1 {2}ci {2}deployer:web,api:staging {2}expires in (90|89) d {2}never used {2}by ana\n$/,
    },
    { name: 'token revoke', line: 'token revoke t1', out: /^t1 is revoked\n$/ },
    {
      name: 'a grant that is none',
      line: 'token create --name ci --grant a:b:c:d',
      code: 2,
      out: /^$/,
      err: /is not a grant/,
    },
    { name: 'whoami', line: 'whoami', out: /^ana {2}token:ana {2}admin:\*:\* {2}http/ },
    { name: 'freeze without a reason', line: 'freeze production', code: 2, out: /^$/, err: /Why\?/ },
    {
      name: 'freeze',
      line: 'freeze production --reason year-end --for 2d',
      out: /^production is frozen; it ends in (2 d|1 d)\n$/,
    },
    {
      name: 'locks with a freeze',
      line: 'locks',
      out: /^production \(freeze\) {2}ana {2}just now {2}until \d{4}-\d\d-\d\d \d\d:\d\d UTC {2}year-end\n$/,
    },
    {
      name: 'freezes',
      line: 'freezes',
      out: /^production {2}frozen until \d{4}-\d\d-\d\d \d\d:\d\d UTC {2,}ana {2,}year-end\nproduction {2}next \d{4}-\d\d-\d\d \d\d:\d\d UTC \(in 3 d\) {2}0 18 \* \* 5 Europe\/Berlin for 62h {2}weekend\n$/,
    },
    { name: 'unfreeze', line: 'unfreeze production', out: /^production is not frozen any more\n$/ },
    { name: 'doctor', line: 'doctor', out: /^✓ {2}etcd {2}answers in 1 ms\n$/ },
    { name: 'approvals, none', line: 'approvals', out: /^Nothing waits for approval\n$/ },
    { name: 'override without a reason', line: 'override web', code: 2, out: /^$/, err: /Why\?/ },
    {
      name: 'cancel what does not run',
      line: 'cancel web',
      code: 2,
      out: /^$/,
      err: /web has no deploy under way/,
    },
    {
      name: 'cancel both ways',
      line: 'cancel web --hold --rollback',
      code: 2,
      out: /^$/,
      err: /'--rollback' cannot be used with option '--hold'/,
    },
    { name: 'app delete', line: 'app delete api', out: /^api is not registered any more\n$/ },
    { name: 'version', line: '--version', out: /^\d+\.\d+\.\d+\n$/ },
  ])('$name', async ({ line, code = 0, out, err = /^$/, how }) => {
    const result = await gkube(line, how)
    expect(result.out).toMatch(out)
    expect(result.err).toMatch(err)
    expect(result.code).toBe(code)
  })

  it('says how to begin', async () => {
    const own = await served()
    const fresh = cliAt(own.url)
    expect((await fresh('status')).out).toMatch(/^Nothing runs yet\. Deploy: gkube deploy/)
    expect((await fresh('app list')).out).toMatch(/gkube app apply -f/)
    expect((await fresh('locks')).out).toBe('Nothing is locked\n')
    expect((await fresh('token list')).out).toBe('No tokens\n')
  })

  it('shows a lock and what is under way beside what runs', async () => {
    await gkube('lock -E production --reason end-of-year')
    const asked = await gkube('deploy web hang -E staging --detach')
    expect(asked.out).toMatch(/gkube follow 01J/)
    const { out } = await gkube('status')
    expect(out).toMatch(/^web {2}staging .*deploy hang (requested|preparing|running)$/m)
    expect(out).toMatch(/^web {2}production .*locked: end-of-year \(ana, in (24|23) h|1 d\)$/m)
    const cancelled = await gkube('cancel web -E staging --reason enough')
    expect(cancelled.out).toMatch(/^web hang → staging: cancelled\n$/)
    await gkube('unlock -E production')
    for (const onCancel of ['hold', 'rollback']) {
      await gkube('deploy web hang -E staging --detach')
      const { out } = await gkube(`cancel web -E staging --reason enough --${onCancel} --json`)
      expect(JSON.parse(out)).toMatchObject({ cause: { message: `enough, ${onCancel}` } })
    }
  })
})

describe('as JSON', () => {
  it.each([
    { line: `app apply -f ${web} --json`, holds: { outcome: 'unchanged', app: { app: 'web' } } },
    { line: 'app list --json', holds: [{ app: { app: 'web' } }] },
    {
      line: '--json status web -E staging',
      holds: [
        { app: 'web', revision: '1.4.1', ready: 3, wanted: 3, health: 'ready', current: null, lock: null },
      ],
    },
    { line: 'pods web -E staging --json', holds: [{ name: 'web-7c9d-x2x1' }, {}] },
    { line: 'events web -E staging --json', holds: [{ reason: 'Scheduled' }] },
    { line: 'logs web -E staging --json', holds: [{ pod: 'web-7c9d-x2x1' }] },
    { line: 'history web --limit 1 --json', holds: [{ app: 'web' }] },
    { line: 'plan web 2 -E staging --json', holds: { kind: 'update', objects: [{}, {}] } },
    { line: 'diff web staging production --json', holds: { changes: ['replicas 1 → 3'] } },
    { line: 'cluster --json', holds: [{ name: 'eu-1' }] },
    { line: 'volumes web -E staging --json', holds: [{ claim: 'web-data', used: 3.2 * 1024 ** 3 }] },
    { line: 'locks --json', holds: { locks: [], freezes: [] } },
    { line: 'approvals --json', holds: [] },
    { line: 'doctor --json', holds: [{ name: 'etcd', state: 'ok' }] },
    { line: 'token list --json', holds: [] },
    { line: 'whoami --json', holds: { actor: { via: 'cli' } } },
    {
      line: 'pods delete web web-7c9d-bad -E staging --json',
      holds: { pod: 'web-7c9d-bad', outcome: 'deleted' },
    },
  ])('$line', async ({ line, holds }) => {
    const { code, out, err } = await gkube(line)
    expect(JSON.parse(out)).toMatchObject(holds as object)
    expect(out.split('\n')).toHaveLength(2)
    expect({ code, err }).toEqual({ code: 0, err: '' })
  })

  it.each([
    { name: 'a refusal of the server', line: 'app show wbe --json', code: 2, kind: 'not_found' },
    { name: 'a missing environment', line: 'pods web --json', code: 2, kind: 'bad_input' },
    { name: 'an unknown option', line: 'status --json --wat', code: 2, kind: 'bad_input' },
  ])('says $name as JSON too', async ({ line, code, kind }) => {
    const result = await gkube(line)
    expect(JSON.parse(result.out)).toMatchObject({ error: { kind, message: expect.any(String) } })
    expect(result.err).toMatch(/^gkube: /)
    expect(result.code).toBe(code)
  })
})

describe('mistakes', async () => {
  const dead = 'http://127.0.0.1:9'
  const other = createServer((_, answer) => answer.end('<html>hello</html>')).listen(0, '127.0.0.1')
  await once(other, 'listening')
  const foreign = `http://127.0.0.1:${(other.address() as AddressInfo).port}` // a TCP server has an address object
  afterAll(() => void other.close())
  it.each<{ name: string; line: string; code: number; err: RegExp; how?: How }>([
    { name: 'no command', line: '', code: 2, err: /Usage: gkube/ },
    {
      name: 'an unknown command',
      line: 'deply web',
      code: 2,
      err: /^gkube: unknown command 'deply'\n\(Did you mean deploy\?\)\nHelp: gkube --help\n$/,
    },
    {
      name: 'an unknown subcommand',
      line: 'app aply',
      code: 2,
      err: /Did you mean apply\?[\s\S]*Help: gkube app --help/,
    },
    {
      name: 'an unknown option',
      line: 'status --jsn',
      code: 2,
      err: /Did you mean --json\?[\s\S]*Help: gkube status --help/,
    },
    { name: 'a missing argument', line: 'scale web', code: 2, err: /missing required argument 'replicas'/ },
    { name: 'too many arguments', line: 'restart web now', code: 2, err: /too many arguments/ },
    {
      name: 'a number that is none',
      line: 'scale web many -E staging',
      code: 2,
      err: /whole number such as 3, not `many`/,
    },
    { name: 'no environment', line: 'restart web', code: 2, err: /Which environment\? Name it with -E/ },
    { name: 'no revision', line: 'deploy web -E staging', code: 2, err: /Which revision\?/ },
    { name: 'no app', line: 'deploy', code: 2, err: /Which app\?/ },
    { name: 'no words to run', line: 'run web -E staging', code: 2, err: /What should run\?/ },
    { name: 'an unknown app', line: 'deploy wbe 1 -E staging', code: 2, err: /`wbe` is not an app/ },
    {
      name: 'shell characters',
      line: 'deploy web 1;ls -E staging',
      code: 2,
      err: /revision: expected letters, digits/,
    },
    {
      name: 'no file',
      line: 'app apply -f nowhere.yaml',
      code: 2,
      err: /Cannot read nowhere\.yaml: there is no such file/,
    },
    {
      name: 'broken YAML',
      line: `app apply -f ${file('broken.yaml', 'app: web\nports: [\n')}`,
      code: 2,
      err: /broken\.yaml:3:1: /,
    },
    {
      name: 'a wrong key',
      line: `app apply -f ${file('key.yaml', 'app: web\nimage: a\nports:\n  - name: http\n    prt: 1\n')}`,
      code: 2,
      err: /key\.yaml:5:5: ports\.0\.prt: is not a key here; did you mean port\?/,
    },
    {
      name: 'a wrong key of a deploy',
      line: `deploy -f ${file('deploy.yaml', 'app: web\nreplica: 3\n')} 1 -E staging`,
      code: 2,
      err: /deploy\.yaml:2:1: replica: is not a key here/,
    },
    {
      name: 'a file without a name',
      line: `app apply -f ${file('nameless.yaml', 'image: a\n')}`,
      code: 2,
      err: /nameless\.yaml:1:1: .*`app: web`/,
    },
    {
      name: 'a bad token',
      line: 'status',
      code: 3,
      err: /token is not known/,
      how: { env: { GKUBE_TOKEN: 'nope' } },
    },
    {
      name: 'too few rights',
      line: 'deploy web 1 -E staging',
      code: 3,
      err: /You can't deploy to staging/,
      how: { env: { GKUBE_TOKEN: tokens.viewer } },
    },
    {
      name: 'no server named',
      line: 'status',
      code: 2,
      err: /Set GKUBE_URL and GKUBE_TOKEN/,
      how: { env: { GKUBE_URL: undefined } },
    },
    {
      name: 'no token',
      line: 'status',
      code: 2,
      err: /Set GKUBE_TOKEN/,
      how: { env: { GKUBE_TOKEN: undefined } },
    },
    {
      name: 'no address',
      line: 'status',
      code: 2,
      err: /is not an address/,
      how: { env: { GKUBE_URL: 'gkube' } },
    },
    {
      name: 'a password in the address',
      line: 'status',
      code: 2,
      err: /must not hold a password/,
      how: { env: { GKUBE_URL: 'http://a:b@c' } },
    },
    {
      name: 'a token with a line break',
      line: 'status',
      code: 2,
      err: /all of it, and only it/,
      how: { env: { GKUBE_TOKEN: 'a\nb' } },
    },
    {
      name: 'a token file that is none',
      line: 'status --token-file nowhere',
      code: 2,
      err: /Cannot read the token file nowhere \(ENOENT\)/,
    },
    {
      name: 'a dead server',
      line: 'cancel 01J8ZQ4T9V8Y5M3N2P1R0S7XWE',
      code: 75,
      err: /takes no connections \(is it running\?\)/,
      how: { env: { GKUBE_URL: dead } },
    },
    {
      name: 'another server',
      line: 'status',
      code: 2,
      err: /Is GKUBE_URL right\?/,
      how: { env: { GKUBE_URL: foreign } },
    },
    { name: 'a shell that is none', line: 'completion tcsh', code: 2, err: /bash, zsh, fish/ },
    { name: 'delete without a terminal', line: 'delete web -E staging', code: 2, err: /add --yes/ },
    { name: 'a context that is none', line: 'sandbox --context kind', code: 2, err: /add --kubeconfig/ },
    { name: 'a port that is none', line: 'sandbox --port 99999', code: 2, err: /is not a port/ },
  ])('$name: $code', async ({ line, code, err, how }) => {
    const result = await gkube(line === '' ? [] : line, how)
    expect(result.err).toMatch(err)
    expect(result.code).toBe(code)
    expect(result.out).toBe('')
  })

  it('tries a read again, says so, and gives up in words', async () => {
    core.failNext('status', new UserError('unavailable', 'etcd does not answer.'))
    const once = await gkube('status')
    expect(once).toMatchObject({ code: 0, err: 'gkube: etcd does not answer. Trying again …\n' })
    const dead = await gkube('status', { env: { GKUBE_URL: 'http://127.0.0.1:9' } })
    expect(dead.code).toBe(75)
    expect(dead.err).toMatch(/Trying again …\n.*takes no connections/)
  })

  it('shows the id of what went wrong on the server', async () => {
    core.failNext('clusters', new Error('boom'))
    const { code, err } = await gkube('cluster')
    expect(code).toBe(75)
    expect(err).toMatch(/The log has it \(id [0-9a-f]{12}\)/)
    expect(err).not.toContain('boom')
  })
})

describe('where the server is', () => {
  const context = (place: string, fields: object) => {
    mkdirSync(join(folder, place), { recursive: true })
    writeFileSync(join(folder, place, 'context.json'), JSON.stringify(fields))
  }
  const bare = { GKUBE_URL: undefined, GKUBE_TOKEN: undefined }

  it('is in the context file of the user, with an environment', async () => {
    context('.config/gkube', { url, token: tokens.admin, environment: 'staging' })
    expect((await gkube('pods web', { env: bare })).code).toBe(0)
  })

  it('is in the context file of the folder first', async () => {
    context('.gkube', { url, token: tokens.viewer })
    expect((await gkube('whoami', { env: bare })).out).toMatch(/^vic/)
    expect((await gkube('pods web', { env: bare })).err).toMatch(/Which environment\?/)
  })

  it('gets a token only where the context names that very server', async () => {
    context('.gkube', { url: 'http://127.0.0.1:9', token: tokens.viewer })
    const { code, err } = await gkube('whoami', { env: { ...bare, GKUBE_URL: url } })
    expect(code).toBe(2)
    expect(err).toMatch(/^gkube: No token for http/)
    expect((await gkube(`whoami --url ${url}/`, { env: { ...bare, GKUBE_TOKEN: tokens.admin } })).code).toBe(
      0,
    )
  })

  it('takes a token from a file', async () => {
    const path = file('token', `${tokens.viewer}\n`)
    expect((await gkube(`whoami --token-file ${path}`)).out).toMatch(/^vic/)
    expect((await gkube('whoami', { env: { GKUBE_TOKEN: undefined, GKUBE_TOKEN_FILE: path } })).out).toMatch(
      /^vic/,
    )
  })

  it('says which context file is broken', async () => {
    file('.gkube/context.json', '{"url": 1}')
    expect((await gkube('status', { env: bare })).err).toMatch(/context\.json is not a context/)
    file('.gkube/context.json', JSON.stringify({ url, token: tokens.admin }))
  })
})

describe('logs', () => {
  it('keeps colours on a terminal and nothing else that it acts on', async () => {
    const esc = String.fromCharCode(27)
    const plain = await gkube('logs web -E staging', { tty: true })
    expect(plain.out).toBe('line one\nline two !\n')
    const colored = await gkube('logs web -E staging', { tty: true, env: { NO_COLOR: undefined } })
    expect(colored.out).toBe(`line one\n${esc}[31mline two${esc}[0m !${esc}[0m\n`)
    const piped = await gkube('logs web -E staging')
    expect(piped.out).toContain(`${esc}[2J`)
  })

  it('follows until it is told to stop', async () => {
    const stop = new AbortController()
    const { heard, said } = listener()
    const following = gkube('logs web -E staging -f', { signal: stop.signal, heard })
    await said('line one')
    core.log('half a ')
    core.log('line\n')
    await said('half a line')
    stop.abort('SIGINT')
    const { code, out } = await following
    expect(code).toBe(130)
    expect(out).toContain('web-7c9d-x2x1 web │ line one\n')
    expect(out).toContain('web-7c9d-x2x1 web │ half a line\n')
  })
})

describe('what runs here', () => {
  it('hands its options over', async () => {
    const asked: unknown[] = []
    const local = {
      sandbox: async (options: unknown) => asked.push(options),
      configCheck: async (options: unknown) => asked.push(options),
      rbac: async (options: unknown) => asked.push(options),
      serve: async (options: unknown) => asked.push(options),
    }
    await gkube('sandbox --port 0 --data d --kubeconfig k --context c', { local })
    await gkube('config check --config g.yaml --json', { local })
    await gkube('rbac production --app web --app api --service-account ops/deployer', { local })
    await gkube('serve --config g.yaml', { local })
    expect(asked).toMatchObject([
      { port: 0, data: 'd', kubeconfig: 'k', context: 'c' },
      { config: 'g.yaml', json: true },
      {
        environment: 'production',
        config: undefined,
        apps: ['web', 'api'],
        serviceAccount: { namespace: 'ops', name: 'deployer' },
        staticVolumes: false,
      },
      { config: 'g.yaml' },
    ])
  })

  it('says what went wrong in a command itself, without a stack', async () => {
    const local = { serve: () => Promise.reject(new Error('boom')) }
    const { code, err } = await gkube('serve', { local })
    expect(code).toBe(70)
    expect(err).toBe(
      'gkube: something went wrong in this command itself: boom\ngkube: GKUBE_DEBUG=1 shows where.\n',
    )
    expect((await gkube('serve', { local, env: { GKUBE_DEBUG: '1' } })).err).toMatch(
      /at .*commands\.test\.ts/,
    )
  })
})
