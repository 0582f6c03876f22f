import { expect, it, test, vi } from 'vitest';
import { explained, fail } from './errors.ts';

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
  [named('AccessDeniedException', { $metadata: { requestId: 'r1' } }), 'slipway explain --request r1'],
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

test('what servers and images have written does nothing to the terminal', () => {
  const written: string[] = [];
  const exit = vi.spyOn(process, 'exit').mockImplementation(() => {
    throw new Error('exit');
  });
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  try {
    expect(() => fail('exec: "\u001b]0;title\u0007\u001b[2Jx" not found\n  more')).toThrow('exit');
  } finally {
    write.mockRestore();
    exit.mockRestore();
  }
  expect(written).toEqual(['slipway: exec: "x" not found\n  more\n']);
});
