import { assert, property, string, stringMatching } from 'fast-check';
import { expect, test } from 'vitest';
import { arnOf, parseArn } from './index.ts';

test('takes ARNs apart and puts them together again', () => {
  const text = 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:3';
  expect(parseArn(text)).toEqual({
    service: 'ecs',
    region: 'us-east-1',
    account: '000000000000',
    resource: 'task-definition/web:3',
  });
  const part = stringMatching(/^[a-z0-9-]{1,20}$/);
  assert(
    property(part, part, part, string({ minLength: 1 }), (service, region, account, resource) => {
      const arn = { service, region, account, resource };
      expect(parseArn(arnOf(arn))).toEqual(arn);
    }),
  );
});

test.each([
  '',
  'arn',
  'arn:aws:ecs:us-east-1:000000000000',
  'arn:aws:ecs:us-east-1:000000000000:',
  'ARN:aws:ecs:r:a:x',
  'arn:gcp:ecs:r:a:x',
  'arn:aws::r:a:x',
  ' arn:aws:ecs:r:a:x',
])('is none: %j', (text) => {
  expect(parseArn(text)).toBeUndefined();
});
