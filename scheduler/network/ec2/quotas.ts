import { AwsError } from '@slipway/auth/contract';

import type { Network, NounType } from '../records/index.ts';

/**
 * How much of each an account may have: all of it is kept in memory by every server. At or above what EC2 gives accounts that ask for
 * more, and enough for 10,000 rules.
 */
const quotas: Readonly<Record<NounType, readonly [most: number, code: string]>> = {
  vpc: [200, 'VpcLimitExceeded'],
  subnet: [4000, 'SubnetLimitExceeded'],
  'security-group': [2500, 'SecurityGroupLimitExceeded'],
  'security-group-rule': [50_000, 'RulesPerSecurityGroupLimitExceeded'],
  'route-table': [2000, 'RouteTableLimitExceeded'],
  'internet-gateway': [200, 'InternetGatewayLimitExceeded'],
  natgateway: [1000, 'NatGatewayLimitExceeded'],
  'elastic-ip': [1000, 'AddressLimitExceeded'],
  'dhcp-options': [200, 'DhcpOptionsLimitExceeded'],
  'network-acl': [1000, 'NetworkAclLimitExceeded'],
  'launch-template': [1000, 'LaunchTemplateLimitExceeded'],
};
const types = Object.keys(quotas) as NounType[];

const sizesOf = ({ tables }: Network): ReadonlyMap<NounType, number> =>
  new Map(types.map((type) => [type, tables.get(type)?.size ?? 0]));

/**
 * Watches what a change adds.
 * @returns to be called after it. @throws the type's `…LimitExceeded` when there is more than before, and too much
 */
export function withinQuotas(network: Network): () => void {
  const before = sizesOf(network);
  return () => {
    for (const [type, size] of sizesOf(network)) {
      const [most, code] = quotas[type];
      if (size > most && size > (before.get(type) ?? 0))
        throw new AwsError(code, `The maximum number of ${type} of an account has been reached: ${most}.`);
    }
  };
}
