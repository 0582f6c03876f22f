import type { InstanceRecord } from '../../state/index.ts';

/** The record of a container instance that is connected, changed as given. */
export const instanceRecord = (more: Partial<InstanceRecord> = {}): InstanceRecord => ({
  id: 'i1',
  arn: 'arn:aws:ecs:us-east-1:000000000000:container-instance/default/i1',
  status: 'ACTIVE',
  agentConnected: true,
  connectivityChangedAt: 0,
  registeredAt: 0,
  cpu: 1024,
  memory: 1024,
  reservedTcpPorts: [],
  reservedUdpPorts: [],
  gpuIds: [],
  attributes: [],
  tags: {},
  ownerArn: '',
  version: 1,
  ...more,
});
