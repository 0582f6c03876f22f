import { invalidParameter } from '../../cluster/index.ts';
import type { TaskNetworks } from '../../tasks/index.ts';
import type { Networks } from '../records/index.ts';

const mostSubnets = 16;
const mostGroups = 5;

/** Holds network configurations of ECS against an account's subnets and groups (ECS API reference, AwsVpcConfiguration). */
export const taskNetworks = (networks: Networks): TaskNetworks => ({
  async resolve(account, { subnets = [], securityGroups = [], assignPublicIp = 'DISABLED' }) {
    if (subnets.length === 0) throw invalidParameter('subnets can not be empty.');
    if (subnets.length > mostSubnets) throw invalidParameter(`There are at most ${mostSubnets} subnets.`);
    if (securityGroups.length > mostGroups) throw invalidParameter(`There are at most ${mostGroups} security groups.`);
    if (assignPublicIp !== 'ENABLED' && assignPublicIp !== 'DISABLED') {
      throw invalidParameter(`assignPublicIp must be ENABLED or DISABLED, not '${String(assignPublicIp)}'.`);
    }
    const network = await networks.read(account);
    const found = subnets.map((id) => {
      const subnet = network.get('subnet', id);
      if (subnet === undefined) throw invalidParameter(`The subnet ID '${id}' does not exist`);
      return subnet;
    });
    const [vpcId = ''] = found.map((subnet) => subnet.vpcId);
    if (found.some((subnet) => subnet.vpcId !== vpcId)) {
      throw invalidParameter('The subnets must all be of one VPC.');
    }
    for (const id of securityGroups) {
      const group = network.get('security-group', id);
      if (group === undefined) throw invalidParameter(`The security group '${id}' does not exist`);
      if (group.vpcId !== vpcId) {
        throw invalidParameter(`Security Group ${id} does not appear to belong to the same VPC as the input subnets.`);
      }
    }
    return {
      subnets: [...new Set(subnets)],
      zones: [...new Set(found.map(({ zone }) => zone))].sort(),
      securityGroups: [...new Set(securityGroups)],
      assignPublicIp,
    };
  },
});
