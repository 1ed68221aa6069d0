// What GlusterFS 10 says when it refuses, as it was recorded, and what people are told: a code and what to do.
import { describe, expect, it } from 'vitest'
import { answerOf, textAt } from '../../../src/adapters/glusterfs/answer.ts'
import { plainRefusal, refusalOf } from '../../../src/adapters/glusterfs/refusals.ts'
import { fine, xml } from './fake-gluster.ts'

const asked = { pool: 'shared', volume: 'gv0', what: 'volume create' }

describe('a refusal', () => {
  it.each<[number, string, string, RegExp]>([
    [30806, 'Volume does not exist', 'not_found', /no GlusterFS volume gv0.*pools\.shared\.volume/],
    [30800, 'Volume gv0 does not exist', 'not_found', /no GlusterFS volume gv0/],
    [0, 'Volume gv0 already exists', 'exists_differently', /left alone/],
    [
      30800,
      'Volume gv0 has been started.Volume needs to be stopped before deletion.',
      'refused',
      /Stop it first/,
    ],
    [30800, 'Volume gv0 is not started', 'unavailable', /gluster volume start gv0/],
    [30800, 'Volume is stopped, start volume before executing quota command.', 'unavailable', /start gv0/],
    [30800, 'Quota is disabled, please enable quota', 'refused', /gluster volume quota gv0 enable/],
    [30800, "Host g9 is not in 'Peer in Cluster' state", 'refused', /gluster peer probe/],
    [
      30800,
      'Multiple bricks of a replicate volume are present on the same server. This setup is not optimal.',
      'refused',
      /own\.force: true/,
    ],
    [
      30800,
      "The brick g1:/b is being created in the root partition. It is recommended that you don't.",
      'refused',
      /own\.force: true/,
    ],
    [
      30800,
      'Brick: g1:/b not available. Brick may be containing or be contained by an existing brick.',
      'exists_differently',
      /another volume/,
    ],
    [
      30800,
      'Failed to create brick directory for brick g1:/b/x. Reason : No such file or directory ',
      'refused',
      /must be there/,
    ],
    [
      30800,
      'LVM commands not found, snapshot functionality is disabled',
      'unsupported',
      /thinly provisioned LVM/,
    ],
    [
      30800,
      'Another transaction is in progress for gv0. Please try again after some time.',
      'unavailable',
      /Try again in a moment/,
    ],
    [30809, 'Quorum not met. Volume operation not allowed.', 'unavailable', /Quorum not met/],
    [107, 'gv0: Not able to fetch volfile from glusterd', 'unavailable', /gluster peer status/],
    [30800, 'Staging failed on g2. Error: brick is full', 'unavailable', /did not take part.*brick is full/],
    [30800, 'something\n  new', 'refused', /refused `gluster volume create` \(30800\): something new\./],
    [-1, '', 'refused', /no reason given/],
  ])('%i %s', (errno, message, code, words) =>
    expect(refusalOf({ errno, message }, asked)).toMatchObject({
      code,
      message: expect.stringMatching(words),
    }),
  )

  it.each<[string, string, RegExp]>([
    [
      'Connection failed. Please check if gluster daemon is operational.',
      'unavailable',
      /glusterd does not answer on g1.*systemctl start glusterd/,
    ],
    [
      'Please provide a valid hostname/ip other than localhost, 127.0.0.1 or loopback address (0.0.0.0 to 0.255.255.255).\n\nUsage:\nvolume create <NEW-VOLNAME>',
      'refused',
      /no brick on localhost/,
    ],
    ['ERROR: failed to create logfile: Permission denied', 'refused', /must run as root on g1.*reach\.sudo/],
    ['unrecognized word: frobnicate (position 1)', 'refused', /frobnicate/],
  ])('in plain text: %s', (text, code, words) =>
    expect(plainRefusal(text, { ...asked, where: 'g1', remote: false })).toMatchObject({
      code,
      message: expect.stringMatching(words),
    }),
  )
})

describe('an answer', () => {
  it('is well by opRet alone', () =>
    expect(answerOf(xml(0, 30800, 'odd'))).toMatchObject({ ret: 0, message: 'odd' }))
  it('is read after what else was printed', () => expect(answerOf(`warning: old\n${fine}`)?.ret).toBe(0))
  it('keeps texts as they are', () =>
    expect(answerOf(xml(-1, 5, 'a &lt;b&gt; &amp; c'))?.message).toBe('a <b> & c'))
  it('gives the first of a name', () => {
    const answer = answerOf(xml(0, 0, '', '<a><b>1</b><b>2</b></a>'))
    expect(answer && textAt(answer.tree, 'a', 'b')).toBe('1')
    expect(answer && textAt(answer.tree, 'a', 'c')).toBeUndefined()
  })
  it.each([
    ['nothing', ''],
    ['no XML', 'volume create: gv0: failed'],
    ['cut off', fine.slice(0, -20)],
    ['something else', '<?xml version="1.0"?><html><opRet>0</opRet></html>'],
    ['no number', '<?xml version="1.0"?><cliOutput><opRet>fine</opRet></cliOutput>'],
    ['two documents', `${fine}${fine}`],
    [
      'an entity of its own',
      '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "0">]><cliOutput><opRet>&a;</opRet></cliOutput>',
    ],
  ])('is none: %s', (_, text) => expect(answerOf(text)).toBeNull())
})
