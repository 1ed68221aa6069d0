// The jobs of `npm start`: a folder `shop` whose builds run for a few seconds. What they build can be deployed in the
// sandbox: any commit resolves in its image registry. All of it can be given otherwise to startJenkins().
import type { ChangeSeed, JobSeed, ParameterSeed } from './control.ts'

const stories: readonly (readonly ChangeSeed[])[] = [
  [
    { author: 'ana', message: 'Show the price with tax', paths: ['src/price.ts', 'test/price.test.ts'] },
    { author: 'cho', message: 'Raise the cache to 256 MB', paths: ['deploy/cache.yaml'] },
  ],
  [{ author: 'ben', message: 'Fix the basket of guests', paths: ['src/basket.ts'] }],
  [
    { author: 'ana', message: 'Log slow queries', paths: ['src/db.ts'] },
    { author: 'ben', message: 'Update translations', paths: ['i18n/de.json', 'i18n/pt.json'] },
    { author: 'ana', message: 'Remove the old search', paths: ['src/search.ts'] },
  ],
]
const changes = (number: number) => stories[number % stories.length] ?? []

const breaks: ParameterSeed = {
  name: 'BREAK',
  type: 'choice',
  choices: ['nothing', 'unit tests', 'build'],
  description: 'What shall go wrong, to see what that looks like',
}

const web: JobSeed = {
  path: 'shop/web',
  kind: 'pipeline',
  quiet: 1000,
  parameters: [
    { name: 'ASK', type: 'boolean', default: 'true', description: 'Ask before the build is published' },
    breaks,
  ],
  changes,
  async run(build) {
    build.stage('Build')
    build.print('+ npm ci', 'added 214 packages in 1s', '+ npm run build')
    await build.takes(1500)
    if (build.parameter('BREAK') === 'build') build.fail('src/price.ts(12,3): error TS2322')
    build.stage('Unit tests')
    build.print('+ npm test')
    await build.takes(1500)
    const failed =
      build.parameter('BREAK') === 'unit tests'
        ? ['shop.PriceTest.addsTax', 'shop.BasketTest.isEmptyAtFirst']
        : []
    build.tests({ passed: 412 - failed.length, failed, skipped: 3 })
    if (build.parameter('ASK') === 'true') {
      build.stage('Publish')
      await build.input({ id: 'Publish', message: 'Publish this build?', ok: 'Publish' })
    }
    build.print('+ docker push registry.example.com/shop/web')
    await build.takes(500)
    build.artifact('dist/web.tar.gz')
  },
}

const api: JobSeed = {
  path: 'shop/api',
  kind: 'freestyle',
  quiet: 1000,
  parameters: [
    { name: 'VERSION', type: 'string', default: '1.0', description: 'Major and minor version' },
    { name: 'TARGET', type: 'choice', choices: ['linux/amd64', 'linux/arm64'], description: 'Platform' },
    { name: 'CLEAN', type: 'boolean', default: 'false', description: 'Without the cache' },
    { name: 'NOTES', type: 'text', default: '', description: 'Release notes' },
    { name: 'SIGNING_KEY', type: 'password', default: 'not-shown', description: 'Passphrase' },
  ],
  changes,
  run: build =>
    build.shell(
      'echo "building $JOB_NAME $VERSION.$BUILD_NUMBER for $TARGET"\nsleep 1\necho "built $GIT_COMMIT"\n',
    ),
}

const branch = (path: string, name: string): JobSeed => ({
  path,
  kind: 'pipeline',
  quiet: 1000,
  branch: name,
  parameters: [breaks],
  changes,
  async run(build) {
    build.stage('Build')
    build.print(`building branch ${name}`)
    await build.takes(2000)
    if (build.parameter('BREAK') === 'build') build.fail('script returned exit code 2')
    const failed = build.parameter('BREAK') === 'unit tests' ? ['shop.WorkerTest.retries'] : []
    build.tests({ passed: 80 - failed.length, failed })
  },
})

/** Fails each third time. */
const nightly: JobSeed = {
  path: 'shop/nightly',
  kind: 'freestyle',
  quiet: 1000,
  parameters: [
    { name: 'FAIL_EACH', type: 'string', default: '3', description: 'Fails each so many times; 0: never' },
  ],
  changes,
  async run(build) {
    const each = Number(build.parameter('FAIL_EACH'))
    await build.takes(2000)
    if (each > 0 && build.number % each === 0) build.fail('Connection to the test database timed out')
  },
}

export const jobs: readonly JobSeed[] = [
  web,
  api,
  { path: 'shop/worker', kind: 'multibranch' },
  branch('shop/worker/main', 'main'),
  branch('shop/worker/feature%2Flogin', 'feature/login'),
  nightly,
]
