// How a container of the stand-in cluster behaves: by the tag of its image, and by the plain parts of a script.
import { describe, expect, it } from 'vitest'
import { behaviourOf, play } from '../../../src/sandbox/cluster/play.ts'

describe('the tag of an image', () => {
  it.each([
    ['reg.example.com/shop/web:1.4.2', 'works'],
    ['web', 'works'],
    ['web:crash', 'crash'],
    ['web:crash-2', 'crash'],
    ['reg:5000/web:1.5.0-crash', 'crash'],
    [`reg/web:2-missing@sha256:${'a'.repeat(64)}`, 'missing'],
    [`reg/web@sha256:${'a'.repeat(64)}`, 'works'],
    ['web:fix-crash', 'works'],
    ['web:crashed', 'works'],
    ['reg/crash:1', 'works'],
    ['Web:1', 'badname'],
    ['web:1:2', 'badname'],
  ])('%s %s', (image, behaviour) => {
    expect(behaviourOf(image)).toBe(behaviour)
  })
})

describe('a script', () => {
  const run = (script: string, env: object[] = []) => {
    const container = { name: 'tool', image: 'reg/tool:1', command: ['/bin/sh', '-ec', script], env }
    const { exit, lines } = play({ container, image: container.image, task: true, restarts: 0 })
    return { code: exit?.code, after: exit?.after, printed: lines.map(line => line.text) }
  }

  it.each([
    { name: 'prints and succeeds', script: 'echo one\necho "two"', code: 0, printed: ['one', 'two'] },
    { name: 'ends where it says exit', script: 'echo a; exit 7; echo b', code: 7, printed: ['a'] },
    {
      name: 'does not take a guard for its end',
      script: 'test -f x || exit 1\necho ok',
      code: 0,
      printed: ['ok'],
    },
    {
      name: 'does not take a condition for its end',
      script: 'test -f x && exit 1\necho ok',
      code: 0,
      printed: ['ok'],
    },
    {
      name: 'does not take a branch for its end',
      script: 'if [ -z "$A" ]; then\n  exit 2\nfi\necho ok',
      code: 0,
      printed: ['ok'],
    },
    {
      name: 'does not take a function for its end',
      script: 'die() { echo "$1"; exit 1; }\necho ok',
      code: 0,
      printed: ['ok'],
    },
    { name: 'does not print into files', script: 'echo secret > /tmp/x', code: 0, printed: ['done'] },
  ])('$name', ({ script, code, printed }) => {
    expect(run(script)).toMatchObject({ code, printed })
  })

  it('knows its environment and takes its time', () => {
    const { printed, after } = run('sleep 3; echo "hello $WHO"', [{ name: 'WHO', value: 'you' }])
    expect(printed).toEqual(['hello you'])
    expect(after).toBeGreaterThanOrEqual(3000)
  })

  it('does not end a service that only prints', () => {
    const container = { name: 'web', image: 'reg/web:1', command: ['sh', '-c', 'echo up; exec server'] }
    expect(play({ container, image: container.image, task: false, restarts: 0 }).exit).toBeUndefined()
  })
})
