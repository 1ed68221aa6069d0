// Pure: which failures may have happened, and which are worth another attempt.
import {
  EtcdAuthenticationFailedError,
  GRPCDeadlineExceededError,
  GRPCResourceExhastedError,
  GRPCUnavailableError,
  GRPCUnknownError,
} from 'etcd3'
import { describe, expect, test } from 'vitest'
import { CallTimeout, isMemberTrouble, judge } from '../../../src/adapters/etcd/errors.ts'

const sent =
  'Deadline exceeded after 0.800s,name resolution: 0.001s,metadata filters: 0.001s,remote_addr=10.0.0.1:2379'
const unsent = 'Deadline exceeded after 0.800s,name resolution: 0.001s,Waiting for LB pick'

describe('judge', () => {
  test.each<[string, Error, { retry: boolean; mayHaveHappened: boolean }]>([
    [
      'a deadline after it was sent',
      new GRPCDeadlineExceededError(sent),
      { retry: true, mayHaveHappened: true },
    ],
    [
      'a deadline before that',
      new GRPCDeadlineExceededError(unsent),
      { retry: true, mayHaveHappened: false },
    ],
    [
      'nothing listens',
      new GRPCUnavailableError('14 UNAVAILABLE: No connection established. Last error: ECONNREFUSED'),
      { retry: true, mayHaveHappened: false },
    ],
    [
      'cut in flight',
      new GRPCUnavailableError('14: Connection dropped'),
      { retry: true, mayHaveHappened: true },
    ],
    [
      'the leader changed',
      new GRPCUnavailableError('etcdserver: leader changed'),
      { retry: true, mayHaveHappened: true },
    ],
    [
      'etcd gave up waiting',
      new GRPCUnavailableError('etcdserver: request timed out'),
      { retry: true, mayHaveHappened: true },
    ],
    ['unknown to gRPC', new GRPCUnknownError('2 UNKNOWN: something'), { retry: true, mayHaveHappened: true }],
    [
      'too busy',
      new GRPCResourceExhastedError('etcdserver: too many requests'),
      { retry: true, mayHaveHappened: false },
    ],
    [
      'full',
      new GRPCResourceExhastedError('etcdserver: mvcc: database space exceeded'),
      { retry: false, mayHaveHappened: false },
    ],
    ['a wrong password', new EtcdAuthenticationFailedError('x'), { retry: false, mayHaveHappened: false }],
    ['a hanging login', new CallTimeout('x'), { retry: false, mayHaveHappened: true }],
    ['a mistake of ours', new TypeError('x is undefined'), { retry: false, mayHaveHappened: false }],
  ])('%s', (_, error, judgement) => {
    expect(judge(error)).toEqual(judgement)
  })
})

test('a full etcd is no trouble of one member: another endpoint would say the same', () => {
  expect(isMemberTrouble(new GRPCResourceExhastedError('etcdserver: mvcc: database space exceeded'))).toBe(
    false,
  )
  expect(isMemberTrouble(new GRPCUnavailableError('etcdserver: no leader'))).toBe(true)
})
