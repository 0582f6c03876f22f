import { expect, test } from 'vitest';

import { until } from '../testing/bench.ts';
import { principalOf } from '../testing/callers.ts';

import { credentialMargin } from './credentials.ts';
import { AgentBench } from '../testing/agent-peer.ts';

test('T3: credentials of a task keep their id, are renewed before they end, and end with the task', async () => {
  let issued = 0;
  const revoked: string[] = [];
  await using bench = await AgentBench.open({
    taskCredentials: (roleArn, taskArn) => {
      issued += 1;
      return Promise.resolve({
        accessKeyId: `KEY${issued}`,
        secretAccessKey: `${roleArn} ${taskArn}`,
        sessionToken: 'token',
        principal: principalOf('two'),
        // The first ones come near their end a moment after they were sent.
        expiresAt: Date.now() + credentialMargin + (issued === 1 ? 500 : 3_600_000),
      });
    },
    revokeTaskCredentials: (accessKeyId) => Promise.resolve(void revoked.push(accessKeyId)),
  });
  const { plane: roles } = bench;
  const instance = await bench.register();
  const definition = await roles.register({
    taskRoleArn: 'arn:aws:iam::000000000000:role/app',
    containerDefinitions: [{ name: 'main', image: 'web', memory: 32 }],
  });
  const task = await roles.place(definition, instance);
  const peer = bench.connect(instance);
  const { frame, task: sent } = await peer.payload(task.arn, 'RUNNING');
  peer.send('AckRequest', { messageId: frame.message.messageId });
  expect(sent.roleCredentials).toMatchObject({ accessKeyId: 'KEY1', roleArn: 'arn:aws:iam::000000000000:role/app' });
  expect(sent.roleCredentials?.credentialsId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

  const renewal = await peer.frame('IAMRoleCredentialsMessage');
  expect(renewal.message).toMatchObject({
    taskArn: task.arn,
    roleType: 'TaskApplication',
    roleCredentials: { credentialsId: sent.roleCredentials?.credentialsId, accessKeyId: 'KEY2' },
  });
  await roles.putTask({ ...task, desiredStatus: 'STOPPED', lastStatus: 'STOPPED', version: task.version + 1 });
  await until(() => (revoked.length > 0 ? true : undefined), 'the end of the credentials');
  expect(revoked).toEqual(['KEY2']);
});
