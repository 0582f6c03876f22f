import { SubmitTaskStateChangeCommand } from '@aws-sdk/client-ecs';
import { expect, test } from 'vitest';

import type { TaskRecord } from '../../state/index.ts';
import { AgentBench } from '../testing/agent-peer.ts';
import { noHostNetworks } from './host-networks.ts';

test('the end of a task on a deregistered host is news of its address alone, and from that host only', async () => {
  const released: string[] = [];
  const [mine, theirs] = ['a', 'b'].map((letter) => letter.repeat(43)) as [string, string];
  const networks = { ...noHostNetworks, release: async (_: unknown, id: string) => void released.push(id) };
  await using own = await AgentBench.open({ networks });
  const instance = await own.register({ secret: mine });
  const { id, arn } = await own.plane.place(await own.simple(), instance);
  const attachment = { networkInterface: 'eni-1' } as TaskRecord['attachment'] & object;
  await own.plane.putTask({ ...(await own.plane.task(id)), attachment, lastStatus: 'STOPPED' });
  const say = (status: string, secret: string): Promise<unknown> =>
    own.plane.client('one', secret).send(new SubmitTaskStateChangeCommand({ cluster: 'default', task: arn, status }));
  await own.plane.putInstance({ ...(await own.plane.instance(instance)), status: 'INACTIVE' });
  const before = await own.plane.task(id);
  await expect(say('STOPPED', theirs)).rejects.toMatchObject({ name: 'AccessDeniedException' });
  await expect(say('RUNNING', mine)).rejects.toMatchObject({ name: 'InvalidParameterException' });
  expect(released).toEqual([]);
  await expect(say('STOPPED', mine)).rejects.toMatchObject({ message: /is not on any container instance/ });
  expect(released).toEqual(['eni-1']);
  expect(await own.plane.task(id)).toEqual(before);
});
