import { expect, it, test } from 'vitest';
import { explained } from './errors.ts';

const named = (name: string, more: object = {}): Error => Object.assign(new Error('refused'), { name }, more);

test('a server that does not answer is named with its address, however deep the reason lies', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
  for (const error of [refused, new TypeError('fetch failed', { cause: refused }), new AggregateError([refused])])
    expect(explained(error)).toEqual({
      told: expect.stringMatching(/^no server answers.* \(ECONNREFUSED\)$/),
      advice: expect.stringContaining('npm start'),
    });
});

it.each([
  [named('UnrecognizedClientException'), 'eval "$(slipway env)"'],
  [named('ApiError', { code: 'InvalidClientTokenId' }), 'eval "$(slipway env)"'],
  [named('AccessDeniedException', { $metadata: { requestId: 'r1' } }), 'slipway auth explain --request r1'],
  [named('ClusterNotFoundException'), 'aws ecs list-clusters'],
  [named('ServiceNotFoundException'), 'slipway ps'],
  [named('RepositoryNotFoundException'), 'slipway images'],
])('%s comes with what to do', (error, words) => {
  expect(explained(error)).toEqual({ told: 'refused', advice: expect.stringContaining(words) });
});

test('other errors say what they say; those of the runtime with their name', () => {
  expect(explained(new Error('no'))).toEqual({ told: 'no' });
  expect(explained(new TypeError('no'))).toEqual({ told: 'TypeError: no' });
});
