import { find, pageOf } from './lists.ts';
import { type ElbOperations, mayList, mayOn, operation } from './operation.ts';
import { accountLimits } from './quotas.ts';
import { list, number, paged, required, struct, text, time } from './shapes.ts';

/** What an account may have, and what it has reserved: nothing, since load balancers here do not grow by units. */
export const accountOperations: ElbOperations = {
  DescribeAccountLimits: operation({
    input: struct('DescribeAccountLimitsInput', paged),
    output: struct('DescribeAccountLimitsOutput', {
      Limits: list(struct('Limit', { Name: text, Max: text })),
      NextMarker: text,
    }),
    access: mayList('DescribeAccountLimits'),
    read: async (input, scene) => {
      const { items, more } = await pageOf(
        scene,
        ['DescribeAccountLimits'],
        input,
        Object.entries(accountLimits),
        ([name]) => name,
        ([name, most]) => ({ Name: name, Max: String(most) }),
      );
      return { Limits: items, ...more };
    },
  }),
  DescribeCapacityReservation: operation({
    input: struct('DescribeCapacityReservationInput', { LoadBalancerArn: required(text) }),
    output: struct('DescribeCapacityReservationOutput', {
      LastModifiedTime: time,
      DecreaseRequestsRemaining: number,
      CapacityReservationState: list(
        struct('ZonalCapacityReservationState', {
          State: struct('CapacityReservationStatus', { Code: text, Reason: text }),
          AvailabilityZone: text,
        }),
      ),
    }),
    access: mayOn('DescribeCapacityReservation', ({ LoadBalancerArn }) => [LoadBalancerArn]),
    read: ({ LoadBalancerArn }, scene, balancing) => {
      find(scene, balancing, 'loadbalancer', LoadBalancerArn);
      return { CapacityReservationState: [] };
    },
  }),
};
