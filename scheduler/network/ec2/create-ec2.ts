import { AwsError, defineService, ec2Query, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';
import type { RecordStore } from '@slipway/storage/records';

import type { ProfileRole } from '../../scaling/groups/index.ts';
import type { RandomBytes } from '../../state/index.ts';
import { networkKeys, networkPartition, type Networks } from '../records/index.ts';

import { defaultNetworkOperations } from './default-network.ts';
import { dhcpOptionsOperations } from './dhcp-options.ts';
import { elasticAddressOperations } from './elastic-addresses.ts';
import { invalidValue } from './errors.ts';
import { instanceOperations } from './instances.ts';
import { internetGatewayOperations } from './internet-gateways.ts';
import { launchTemplateVersionOperations } from './launch-template-versions.ts';
import { launchTemplateOperations } from './launch-templates.ts';
import { natGatewayOperations } from './nat-gateways.ts';
import { networkAclOperations } from './network-acls.ts';
import { networkInterfaceOperations } from './network-interfaces.ts';
import { notServedOperations } from './not-served.ts';
import type { Ec2Api, Ec2Operations } from './operation.ts';
import { routeTableOperations } from './route-tables.ts';
import { securityGroupRuleOperations } from './security-group-rules.ts';
import { securityGroupOperations } from './security-groups.ts';
import { subnetOperations } from './subnets.ts';
import { tagOperations } from './tags.ts';
import { vpcOperations } from './vpcs.ts';
import { zoneOperations } from './zones.ts';

/** What the API of EC2 is made of. */
export interface Ec2Options {
  readonly networks: Networks;
  readonly records: RecordStore;
  readonly random: RandomBytes;
  readonly region: string;
  /** What machines that are made from a template would act as. */
  readonly profileRole: ProfileRole;
  /** The machines of Auto Scaling groups, which are the instances there are. */
  readonly groups: Ec2Api['groups'];
}

/** The API of EC2, as far as networks and machines of groups go: a table of operations for each noun. */
export const ec2Operations: Ec2Operations = {
  ...vpcOperations,
  ...defaultNetworkOperations,
  ...subnetOperations,
  ...securityGroupOperations,
  ...securityGroupRuleOperations,
  ...routeTableOperations,
  ...internetGatewayOperations,
  ...natGatewayOperations,
  ...elasticAddressOperations,
  ...dhcpOptionsOperations,
  ...networkAclOperations,
  ...networkInterfaceOperations,
  ...instanceOperations,
  ...launchTemplateOperations,
  ...launchTemplateVersionOperations,
  ...tagOperations,
  ...zoneOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const ec2Schemas: Readonly<Record<string, unknown>> = schemasOf(ec2Operations);

/** The API of EC2 (2016-11-15) as the gateway serves it. */
export function createEc2(options: Ec2Options): ServiceDefinition {
  const { networks, records, random, region, profileRole, groups } = options;
  const pages = new Pages(
    createSigning(storedKeys(records, random, { partition: networkPartition, key: networkKeys.signingKey })),
    {
      usual: 1000,
      most: 1000,
      badSize: (asked, most) => invalidValue(asked, 'MaxResults', `Expecting a value from 5 to ${most}.`),
      badToken: () => new AwsError('InvalidNextToken', 'The token is not one of this list with these filters.'),
    },
  );
  const api: Ec2Api = { networks, pages, region, profileRole, groups };
  return {
    ...defineService({
      name: 'ec2',
      protocol: ec2Query('2016-11-15', 'http://ec2.amazonaws.com/doc/2016-11-15/'),
      client: ec2Schemas,
      limits: { needs: (operation) => `ec2:${operation}` },
      operations: {},
    }),
    operations: bindAll(ec2Operations, api),
  };
}
