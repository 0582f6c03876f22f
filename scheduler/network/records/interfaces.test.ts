import { beforeEach, describe, expect, test } from 'vitest';

import { account, openNetworks, type TestNetworks } from '../testing/open-networks.ts';

import { attachInterface, detachInterface, macOf, type NetworkInterfaceRecord } from './index.ts';

let api: TestNetworks;
let subnetId: string;
let group: string;
let vpcId: string;

beforeEach(async () => {
  api = openNetworks();
  vpcId = (await api.call('CreateVpc', { CidrBlock: '10.1.0.0/16' })).Vpc.VpcId;
  subnetId = (await api.call('CreateSubnet', { VpcId: vpcId, CidrBlock: '10.1.1.0/24' })).Subnet.SubnetId;
  const input = { GroupName: 'web', Description: 'x', VpcId: vpcId };
  group = (await api.call('CreateSecurityGroup', input)).GroupId;
});

const interfaceOf = (digit: string, more: Partial<NetworkInterfaceRecord> = {}): NetworkInterfaceRecord => {
  const id = `eni-${digit.repeat(17)}`;
  return {
    id,
    vpcId,
    subnetId,
    zone: 'us-east-1a',
    address: '10.1.1.4',
    mac: macOf(id),
    groups: [group],
    type: 'interface',
    description: 'a task',
    requester: 'ecs',
    createdAt: 0,
    tags: {},
    ...more,
  };
};
const attach = (record: NetworkInterfaceRecord) => attachInterface(api.records, account, record);

describe('interfaces of tasks', () => {
  test('are seen, hold their subnet and their groups, and give all back', async () => {
    expect(await attach(interfaceOf('a'))).toBeUndefined();
    expect(await attach(interfaceOf('a'))).toBeUndefined();
    const { NetworkInterfaces } = await api.call('DescribeNetworkInterfaces', {
      Filters: [{ Name: 'group-id', Values: [group] }],
    });
    expect(NetworkInterfaces).toMatchObject([
      {
        PrivateIpAddress: '10.1.1.4',
        PrivateDnsName: 'ip-10-1-1-4.ec2.internal',
        MacAddress: '0a:aa:aa:aa:aa:aa',
        Groups: [{ GroupId: group, GroupName: 'web' }],
        RequesterManaged: true,
      },
    ]);
    expect(await api.refusal('DeleteSecurityGroup', { GroupId: group })).toMatch(/^DependencyViolation/);
    expect(await api.refusal('DeleteSubnet', { SubnetId: subnetId })).toMatch(/^DependencyViolation/);
    await detachInterface(api.records, account, interfaceOf('a').id);
    await detachInterface(api.records, account, interfaceOf('a').id);
    await api.call('DeleteSecurityGroup', { GroupId: group });
    await api.call('DeleteSubnet', { SubnetId: subnetId });
  });

  test('never have an address that another has, a subnet or a group that is gone', async () => {
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map((digit) => attach(interfaceOf(digit))));
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'address')).toHaveLength(3);
    expect(await attach(interfaceOf('e', { address: '10.1.1.5', groups: ['sg-1'] }))).toBe('group');
    expect(await attach(interfaceOf('e', { address: '10.1.1.5', subnetId: 'subnet-1' }))).toBe('subnet');
    expect(await attach(interfaceOf('e', { address: '10.1.1.5' }))).toBeUndefined();
    expect(await attach(interfaceOf('e', { address: '10.1.1.6' }))).toBe('address');
  });

  test('race with the deletion of their group and subnet: it is kept, or they are refused', async () => {
    for (let round = 0; round < 30; round++) {
      const VpcId = vpcId;
      const { GroupId } = await api.call('CreateSecurityGroup', { GroupName: `g${round}`, Description: 'x', VpcId });
      const { Subnet } = await api.call('CreateSubnet', { VpcId, CidrBlock: `10.1.${round + 10}.0/24` });
      const record = interfaceOf('f', {
        id: `eni-${String(round).padStart(17, '0')}`,
        groups: [GroupId],
        subnetId: Subnet.SubnetId,
        address: `10.1.${round + 10}.4`,
      });
      const [attached, withoutGroup, withoutSubnet] = await Promise.all([
        attach(record),
        api.call('DeleteSecurityGroup', { GroupId }).then(
          () => true,
          () => false,
        ),
        api.call('DeleteSubnet', { SubnetId: Subnet.SubnetId }).then(
          () => true,
          () => false,
        ),
      ]);
      expect(attached === undefined && (withoutGroup || withoutSubnet)).toBe(false);
      const used = await api.networks.usedAddresses(account);
      expect(used.get(Subnet.SubnetId) ?? 0).toBe(attached === undefined ? 1 : 0);
    }
  });
});
