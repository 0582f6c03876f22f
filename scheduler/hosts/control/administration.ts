import { type Call, renderPlainError, type WebRoute, type WebService } from '@slipway/auth/contract';

import { type ClusterRef, type EcsPorts, findInstance } from '../../cluster/index.ts';
import { arns } from '../../state/index.ts';
import { reclaimInstance, reclaimNotice } from '../../tasks/index.ts';

/**
 * `POST /slipway/hosts/<cluster>/<container instance>/reclaim`: the host is taken back in two minutes. Answers when it is noted, with when
 * the host goes. Needs `ecs:UpdateContainerInstancesState` on the container instance, as draining it does. Requests are signed by SigV4 for
 * `ecs`, without a body.
 */
export function createHostAdministration(ports: EcsPorts): WebService {
  return {
    name: 'host-administration',
    prefix: '/slipway/hosts/',
    authentication: { sigv4: 'ecs' },
    samples: [{ method: 'POST', path: '/slipway/hosts/default/00000000000000000000000000000000/reclaim' }],
    route(method, path): WebRoute | undefined {
      const [, cluster, id] = /^\/slipway\/hosts\/([\w-]{1,255})\/([0-9a-f]{32})\/reclaim$/.exec(path) ?? [];
      if (method !== 'POST' || cluster === undefined || id === undefined) return undefined;
      const refOf = (call: Call): ClusterRef => ({ account: call.account, cluster });
      return {
        name: 'POST reclaim of a host',
        access: async (call) => {
          const instance = await findInstance(ports, refOf(call), id);
          const arn = arns.containerInstance(ports.region, call.account, cluster, id);
          return [
            {
              action: 'ecs:UpdateContainerInstancesState',
              resources: [{ arn, ...(instance === undefined ? {} : { tags: instance.tags }) }],
              context: { 'ecs:cluster': arns.cluster(ports.region, call.account, cluster) },
            },
          ];
        },
        handle: async (ctx, call) => {
          const { arn, reclaimedAt = ports.clock.now() } = await reclaimInstance(ports, refOf(call), id);
          ctx.body = {
            containerInstanceArn: arn,
            reclaimedAt: new Date(reclaimedAt).toISOString(),
            goneAt: new Date(reclaimedAt + reclaimNotice).toISOString(),
          };
        },
      };
    },
    renderError: renderPlainError,
  };
}
