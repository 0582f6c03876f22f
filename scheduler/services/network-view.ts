import type { NetworkConfiguration as Requested } from '@aws-sdk/client-ecs';

import type { NetworkConfiguration } from '../state/index.ts';

/** A network configuration as the API has it; nothing for none: an empty structure is more than the Terraform provider bears. */
export const networkView = (network: NetworkConfiguration | undefined): Requested | undefined =>
  network && {
    awsvpcConfiguration: {
      subnets: [...network.subnets],
      securityGroups: [...network.securityGroups],
      assignPublicIp: network.assignPublicIp,
    },
  };
