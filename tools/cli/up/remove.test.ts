import { ECSClient } from '@aws-sdk/client-ecs';
import { expect, test } from 'vitest';
import { users } from '../images.ts';
import { isElsewhere, revisionsOf } from './remove.ts';

/** Clients are answered by the name of the command. */
type Input = Readonly<Record<string, string | undefined>>;
const client = (answers: Readonly<Record<string, (input: Input) => unknown>>): ECSClient =>
  Object.assign(new ECSClient({ region: 'us-east-1' }), {
    send: (command: { constructor: { name: string }; input: Input }) =>
      Promise.resolve(answers[command.constructor.name]?.(command.input)),
  });
const refused = (): never => {
  throw Object.assign(new Error('no'), { name: 'AccessDeniedException' });
};

test('a service of the name in another cluster is seen, or thought to be there where nobody may look', async () => {
  const clusterArns = ['arn:x:cluster/default', 'arn:x:cluster/prod'];
  const asked: string[] = [];
  const found = (status: string) =>
    client({
      ListClustersCommand: () => ({ clusterArns }),
      DescribeServicesCommand: ({ cluster }) => {
        asked.push(cluster ?? '');
        return { services: [{ status }] };
      },
    });
  expect(await isElsewhere(found('ACTIVE'), 'default', 'web')).toBe(true);
  expect(await isElsewhere(found('INACTIVE'), 'arn:x:cluster/default', 'web')).toBe(false);
  expect(asked).toEqual(['arn:x:cluster/prod', 'arn:x:cluster/prod']);
  expect(await isElsewhere(client({ ListClustersCommand: refused }), 'default', 'web')).toBe(true);
});

test('only revisions of the family that the project has made are its own', async () => {
  const tagged: Readonly<Record<string, string>> = { 'web:1': 'shop', 'web:2': 'other', 'web-api:1': 'shop' };
  const ecs = client({
    ListTaskDefinitionsCommand: () => ({
      taskDefinitionArns: ['web:1', 'web:2', 'web:3', 'web-api:1'].map((one) => `arn:x:task-definition/${one}`),
    }),
    DescribeTaskDefinitionCommand: ({ taskDefinition }) => {
      const value = tagged[taskDefinition?.split('/')[1] ?? ''];
      return { tags: value === undefined ? [] : [{ key: 'slipway:up', value }] };
    },
  });
  expect(await revisionsOf(ecs, 'web', 'shop')).toEqual(['arn:x:task-definition/web:1']);
});

test('who runs an image is an error where tasks may not be seen: it would look as if nobody did', async () => {
  await expect(users(client({ ListClustersCommand: refused }))).rejects.toThrow('no');
});
