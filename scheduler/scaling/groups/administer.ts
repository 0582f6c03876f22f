import { type Call, renderPlainError, type WebService } from '@slipway/auth/contract';
import { arnOf } from '@slipway/auth/kit';
import type { Sealer } from '@slipway/auth/tokens';

import { groupSecret } from './hook-teller.ts';
import { Groups, type GroupsPorts } from './groups.ts';
import { groupArn } from './keys.ts';

/** As it stands in a path: names may have any character. */
function nameIn(path: string): string | undefined {
  const [, encoded] = /^\/slipway\/groups\/([^/]{1,2300})$/.exec(path) ?? [];
  try {
    const name = encoded === undefined ? '' : decodeURIComponent(encoded);
    return name.length >= 1 && name.length <= 255 ? name : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `/slipway/groups/<name>`: POST tells the secret that the webhook calls of a group's lifecycle hooks are signed with, and makes it if there is none;
 * DELETE makes another one. Both need `autoscaling:PutLifecycleHook` on the group, as naming a webhook does; the group need not be there yet. Requests
 * are signed by SigV4 for `autoscaling`.
 */
export function createGroupAdministration(ports: GroupsPorts & { readonly sealer: Sealer }): WebService {
  const groups = new Groups(ports);
  const { region } = ports;
  return {
    name: 'group-administration',
    prefix: '/slipway/groups/',
    authentication: { sigv4: 'autoscaling' },
    samples: [
      { method: 'POST', path: '/slipway/groups/web' },
      { method: 'DELETE', path: '/slipway/groups/web' },
    ],
    route(method, path) {
      const name = nameIn(path);
      if (name === undefined || (method !== 'POST' && method !== 'DELETE')) return undefined;
      return {
        name: `${method} webhook secret of a group`,
        access: async ({ account }: Call) => {
          const group = await groups.byName(account, name);
          const resource = `autoScalingGroup:*:autoScalingGroupName/${name}`;
          const tags = Object.fromEntries((group?.tags ?? []).map(({ key, value }) => [key, value]));
          const arn =
            group === undefined
              ? arnOf({ service: 'autoscaling', region, account, resource })
              : groupArn(region, account, group);
          return [{ action: 'autoscaling:PutLifecycleHook', resources: [{ arn, tags }] }];
        },
        handle: async (ctx, { account }: Call) => {
          ctx.set('Cache-Control', 'no-store');
          ctx.body = { secret: await groupSecret(ports, account, name, method === 'DELETE') };
        },
      };
    },
    renderError: renderPlainError,
  };
}
