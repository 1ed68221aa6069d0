// The stand-in Jenkins, judged by a client that somebody else wrote for the real one: Debian's python3-jenkins 1.4.
// One Python process does what its users do, with a token and with a password (crumbs), and prints what it saw as JSON.
// apt-get install python3-jenkins; without it this suite is skipped, and says so.
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SandboxJenkins } from '../../src/sandbox/jenkins/control.ts'
import { startJenkins } from '../../src/sandbox/jenkins/jenkins.ts'

/** Debian's own Python, where its packages are. */
const python = '/usr/bin/python3'
const isThere = spawnSync(python, ['-c', 'import jenkins']).status === 0

const script = `
import json, sys, time
import jenkins
url, user, secret = sys.argv[1:4]
server = jenkins.Jenkins(url, username=user, password=secret, timeout=20)
saw = {}

def until(what, probe):
    for _ in range(400):
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise Exception('never: ' + what)

def started(queued):
    return until('started', lambda: server.get_queue_item(queued).get('executable'))

def ended(job, number):
    return until('ended', lambda: (lambda b: None if b['building'] else b)(server.get_build_info(job, number)))

def refusal(act):
    try:
        act()
    except Exception as error:
        return type(error).__name__
    return None

saw['whoami'] = server.get_whoami()['id']
saw['version'] = server.get_version()
saw['jobs'] = sorted(job['fullname'] for job in server.get_jobs(folder_depth=3))
saw['all'] = sorted(job['fullname'] for job in server.get_all_jobs())
saw['exists'] = [server.job_exists('shop/web'), server.job_exists('shop/none')]
info = server.get_job_info('shop/web')
saw['parameters'] = [p['name'] for entry in info['property'] for p in entry.get('parameterDefinitions', [])]

queued = server.build_job('shop/web', {'ASK': 'false', 'BREAK': 'unit tests'})
number = started(queued)['number']
build = ended('shop/web', number)
saw['web'] = [build['result'], build['queueId'] == queued, build['number'] == server.get_job_info('shop/web')['lastBuild']['number']]
saw['console'] = server.get_build_console_output('shop/web', number).splitlines()[-1]
saw['tests'] = server.get_build_test_report('shop/web', number)['failCount']

branch = 'shop/worker/feature%2Flogin'
number = started(server.build_job(branch, {'BREAK': 'build'}))['number']
saw['branch'] = [server.get_job_info(branch)['displayName'], ended(branch, number)['result']]

number = started(server.build_job('shop/web', {'ASK': 'true'}))['number']
server.stop_build('shop/web', number)
saw['stopped'] = ended('shop/web', number)['result']

queued = server.build_job('shop/slow')
saw['queue'] = [item['id'] == queued for item in server.get_queue_info()]
# This client is older than the 204 that Jenkins answers since 2.210, and takes it for no answer.
saw['cancelled'] = [refusal(lambda: server.cancel_queue(queued)), server.get_queue_item(queued)['cancelled'], server.get_queue_info()]

saw['refused'] = [
    refusal(lambda: server.build_job('shop/web')),
    refusal(lambda: server.build_job('shop/slow', {'A': 'b'})),
    refusal(lambda: server.build_job('shop/none')),
    refusal(lambda: server.get_build_info('shop/web', 99999)),
    refusal(lambda: server.get_queue_item(99999)),
    refusal(lambda: jenkins.Jenkins(url, username=user, password='wrong', timeout=20).get_whoami()),
]
print(json.dumps(saw))
`

let jenkins: SandboxJenkins
beforeAll(async () => {
  const { jobs } = await import('../../src/sandbox/jenkins/seed.ts')
  jenkins = await startJenkins({
    seed: [...jobs, { path: 'shop/slow', kind: 'freestyle', quiet: 3_600_000 }],
    speed: 20,
    // requests goes where a 303 leads; a 201 it only reads.
    locationBase: 'http://jenkins.internal:8080/',
  })
})
afterAll(() => jenkins?.stop())

describe.skipIf(!isThere)(`python3-jenkins${isThere ? '' : ': not installed, so skipped'}`, () => {
  // With a password each POST needs a crumb and its session, which this client fetches by itself.
  it.each(['token', 'password'] as const)('does its work with a %s', async kind => {
    const { stdout } = await promisify(execFile)(
      python,
      ['-c', script, jenkins.url, jenkins.user, jenkins[kind]],
      {
        timeout: 60_000,
        env: { PATH: '/usr/bin:/bin', no_proxy: '*', LANG: 'C.UTF-8' },
      },
    )
    expect(JSON.parse(stdout)).toEqual({
      whoami: 'gkube',
      version: expect.stringMatching(/^2\./),
      jobs: [
        'shop',
        'shop/api',
        'shop/nightly',
        'shop/slow',
        'shop/web',
        'shop/worker',
        'shop/worker/feature%2Flogin',
        'shop/worker/main',
      ],
      all: [
        'shop',
        'shop/api',
        'shop/nightly',
        'shop/slow',
        'shop/web',
        'shop/worker',
        'shop/worker/feature%2Flogin',
        'shop/worker/main',
      ],
      exists: [true, null], // its word for no
      parameters: ['ASK', 'BREAK'],
      web: ['UNSTABLE', true, true],
      console: 'Finished: UNSTABLE',
      tests: 2,
      branch: ['feature/login', 'FAILURE'],
      stopped: 'ABORTED',
      queue: [true],
      cancelled: ['EmptyResponseException', true, []],
      refused: [
        'HTTPError',
        'HTTPError',
        'NotFoundException',
        'JenkinsException',
        'JenkinsException',
        'JenkinsException',
      ],
    })
  })
})
