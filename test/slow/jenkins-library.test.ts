// examples/jenkins/vars/gkubeDeploy.groovy and the Jenkinsfile, with the Groovy that Jenkins has (2.4, from Debian): both
// compile, and the step deploys to a running gkube. Needs apt and Java; without them it is skipped, and says so.
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { variablesOf, workspace } from '../support/jenkins-step.ts'
import { admin, type Stack, startStack } from '../support/stack.ts'

const token = 'a-bootstrap-token-of-this-test-only-0123456789'
const packages = ['groovy', 'libantlr-java', 'libasm-java', 'libcommons-cli-java', 'libjansi-java']
const has = (program: string) =>
  (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, program)))
const missing = ['apt-get', 'dpkg', 'java'].filter(program => !has(program))

describe.skipIf(missing.length > 0)(
  `with Debian's Groovy (needs ${missing.join(', ') || 'nothing more'})`,
  () => {
    const folder = workspace({
      'parse.groovy': `
      def loader = new GroovyClassLoader()
      loader.parseClass('@interface Library { String value() }', 'Library.groovy')
      args.each { println "compiled \${new GroovyShell(loader).parse(new File(it)).class.name}" }`,
      'gkube.yaml': `app: library
image: registry.example.com/shop/library:{revision}
replicas: 1
rollout: { stable: 0s, progress: 20s, limit: 40s }
environments: { staging: {}, production: {} }
`,
    })
    let classPath = ''
    let stack: Stack
    let number = 0

    beforeAll(async () => {
      // Downloaded and unpacked, not installed: nothing of this machine changes.
      execFileSync('apt-get', ['download', ...packages], { cwd: folder, stdio: 'pipe', timeout: 120_000 })
      for (const name of readdirSync(folder).filter(one => one.endsWith('.deb')))
        execFileSync('dpkg', ['-x', name, 'root'], { cwd: folder, stdio: 'pipe' })
      const jars = join(folder, 'root/usr/share/java')
      classPath = readdirSync(jars)
        .map(name => join(jars, name))
        .join(':')
      stack = await startStack({
        env: { GKUBE_BOOTSTRAP_TOKEN: token },
        environments: {
          staging: { createNamespace: true },
          production: { createNamespace: true, protected: true, approvals: { required: 1 } },
        },
      })
    })

    const groovy = (args: readonly string[], env: Record<string, string | undefined>) =>
      new Promise<{ code: number; out: string }>(done => {
        const all = ['-cp', classPath, 'groovy.ui.GroovyMain', ...args]
        execFile('java', all, { cwd: folder, env, timeout: 60_000 }, (error, stdout, stderr) =>
          done({ code: error ? Number(error.code) : 0, out: stdout + stderr }),
        )
      })
    const step = (options: readonly string[], over: Record<string, string> = {}) => {
      const variables = variablesOf('shop/library', ++number, { GIT_COMMIT: `c${number}`, WORKSPACE: folder })
      const path = `${process.execPath.replace(/\/node$/, '')}:${process.env.PATH}`
      const env = { ...variables, ...over, PATH: path, GKUBE_URL: stack.server.url }
      const files = ['test/support/pipeline-harness.groovy', 'examples/jenkins/vars/gkubeDeploy.groovy']
      return groovy([...files.map(file => resolve(file)), token, ...options], env)
    }

    it('the step and the Jenkinsfile compile', async () => {
      const files = ['examples/jenkins/vars/gkubeDeploy.groovy', 'examples/jenkins/Jenkinsfile'].map(one =>
        resolve(one),
      )
      const { code, out } = await groovy([join(folder, 'parse.groovy'), ...files], process.env)
      expect({ code, out }).toEqual({ code: 0, out: 'compiled gkubeDeploy\ncompiled Jenkinsfile\n' })
    })

    it('registers the job of a file and deploys it, and echoes no token', async () => {
      const { code, out } = await step(['environment=staging', 'file=gkube.yaml'])
      expect(code, out).toBe(0)
      expect(out).toMatch(/gkube: RESULT succeeded library c1 staging \d+s\n/)
      expect(out).toContain('RETURNED 0')
      expect(out).toContain('+ node ')
      expect(out).not.toContain(token)
      expect(await stack.core.showApp(admin, 'library')).toMatchObject({ jobs: ['shop/library'] })
    })

    it('makes the build unstable where the deploy still waits, and the deploy lives on', async () => {
      const { code, out } = await step(['environment=production', 'waitApproval=1s', 'heldIsUnstable=true'])
      expect(code, out).toBe(0)
      expect(out).toMatch(/UNSTABLE The deploy waits for an approval[\s\S]*RETURNED 4/)
      expect(await stack.core.approvals(admin)).toHaveLength(1)
    })

    it.each([
      {
        name: 'a deploy that fails',
        options: ['environment=staging', 'revision=crash'],
        says: /ERROR gkube deploy ended with 1/,
      },
      {
        name: 'an option that it does not know',
        options: ['enviroment=staging'],
        says: /ERROR gkubeDeploy knows no enviroment/,
      },
      {
        name: 'an unheld wait',
        options: ['environment=production', 'waitApproval=0s'],
        says: /ERROR gkube deploy ended with 4/,
      },
    ])('$name fails the build', async ({ options, says }) => {
      const { code, out } = await step(options)
      expect(code).toBe(1)
      expect(out).toMatch(says)
    })
  },
)
