import { AwsError } from '@slipway/auth/contract';

import { defaultNetwork, defaultSubnet, type VpcRecord } from '../records/index.ts';

import { invalidValue } from './errors.ts';
import { arn, type Ec2Operations, may, operation } from './operation.ts';
import { flag, refused, struct, text } from './shapes.ts';
import { subnetShape, viewSubnet, zoneFor } from './subnets.ts';
import { noIpv6, viewVpc, vpcShape } from './vpcs.ts';

/** The default network again, for who deleted it. */
export const defaultNetworkOperations: Ec2Operations = {
  CreateDefaultVpc: operation({
    input: struct('CreateDefaultVpcRequest', { DryRun: flag }),
    output: struct('CreateDefaultVpcResult', { Vpc: vpcShape }),
    access: (_input, scene) => [may(scene, 'CreateDefaultVpc', [{ arn: arn(scene, 'vpc', '*') }])],
    change: (_input, scene, draft) => {
      if (draft.defaultVpc !== undefined)
        throw new AwsError(
          'DefaultVpcAlreadyExists',
          `A Default VPC already exists for this account in this region: ${draft.defaultVpc.id}.`,
        );
      for (const { type, record } of defaultNetwork(draft.newId)) draft.put(type, record as never);
      const vpc = draft.defaultVpc as unknown as VpcRecord;
      for (const zone of draft.zones) {
        const subnet = defaultSubnet(draft, vpc, zone, draft.newId);
        if (subnet !== undefined) draft.put('subnet', subnet);
      }
      return { Vpc: viewVpc(scene, vpc) };
    },
  }),
  CreateDefaultSubnet: operation({
    input: struct('CreateDefaultSubnetRequest', {
      AvailabilityZone: text,
      AvailabilityZoneId: text,
      Ipv6Native: refused(flag, noIpv6),
      DryRun: flag,
    }),
    output: struct('CreateDefaultSubnetResult', { Subnet: subnetShape }),
    access: (_input, scene) => [may(scene, 'CreateDefaultSubnet', [{ arn: arn(scene, 'subnet', '*') }])],
    change: (input, scene, draft) => {
      const vpc = draft.defaultVpc;
      if (vpc === undefined)
        throw new AwsError('DefaultVpcDoesNotExist', 'No default VPC exists for this account in this region.');
      const zone = zoneFor(scene, draft, input);
      const present = draft.all('subnet').find((subnet) => subnet.isDefault && subnet.zone === zone);
      if (present !== undefined)
        throw new AwsError(
          'DefaultSubnetAlreadyExistsInAvailabilityZone',
          `'${present.id}' is already the default subnet in ${zone}.`,
        );
      const subnet = defaultSubnet(draft, vpc, zone, draft.newId);
      if (subnet === undefined)
        throw invalidValue(zone, 'availabilityZone', 'The default VPC has no free range for a subnet.');
      draft.put('subnet', subnet);
      return { Subnet: viewSubnet(scene, subnet, 0) };
    },
  }),
};
