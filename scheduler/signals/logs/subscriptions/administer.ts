import { type Call, renderPlainError, type WebService } from '@slipway/auth/contract';
import { arnOf } from '@slipway/auth/kit';

import type { LogStore } from '../store/contract.ts';

import { subscriptionSecret, type SubscriptionSecretPorts } from './secrets.ts';
import { Subscriptions } from './subscriptions.ts';

/** As they stand in a path: names may have any character. */
function namesIn(path: string): { readonly group: string; readonly filter: string } | undefined {
  const [, group, filter] = /^\/slipway\/subscriptions\/([^/]{1,1600})\/([^/]{1,4700})$/.exec(path) ?? [];
  try {
    const names = { group: decodeURIComponent(group ?? ''), filter: decodeURIComponent(filter ?? '') };
    return /^[.\-_/#A-Za-z0-9]{1,512}$/.test(names.group) && /^[^:*]{1,512}$/.test(names.filter) ? names : undefined;
  } catch {
    return undefined;
  }
}

/** Which right a method needs. */
const actions: Readonly<Record<string, string>> = {
  GET: 'logs:DescribeSubscriptionFilters',
  POST: 'logs:PutSubscriptionFilter',
  DELETE: 'logs:PutSubscriptionFilter',
};

/**
 * `/slipway/subscriptions/<group>/<filter>`: GET says how far the receiver of a subscription filter is. POST tells the secret that its calls are
 * signed with, and makes it if there is none; DELETE makes another one: both need `logs:PutSubscriptionFilter` on the group, and the filter need not
 * be there yet. Requests are signed by SigV4 for `logs`.
 */
export function createSubscriptionAdministration(
  ports: SubscriptionSecretPorts & { readonly region: string; readonly logs: Pick<LogStore, 'group'> },
): WebService {
  const subscriptions = new Subscriptions(ports);
  return {
    name: 'subscription-administration',
    prefix: '/slipway/subscriptions/',
    authentication: { sigv4: 'logs' },
    samples: Object.keys(actions).map((method) => ({ method, path: '/slipway/subscriptions/web/to-search' })),
    route(method, path) {
      const names = namesIn(path);
      const action = actions[method];
      if (names === undefined || action === undefined) return undefined;
      return {
        name: `${method} subscription filter`,
        access: async ({ account }: Call) => {
          const tags = (await ports.logs.group(account, names.group))?.tags;
          const resource = `log-group:${names.group}:log-stream:`;
          const arn = arnOf({ service: 'logs', region: ports.region, account, resource });
          return [{ action, resources: [{ arn, ...(tags === undefined ? {} : { tags }) }] }];
        },
        handle: async (ctx, { account }: Call) => {
          if (method !== 'GET') {
            ctx.body = { secret: await subscriptionSecret(ports, account, names, method === 'DELETE') };
            return;
          }
          const found = await subscriptions.progress(account, names.group, names.filter).catch(() => undefined);
          if (found === undefined) ctx.status = 404;
          ctx.body = found ?? { message: 'There is no such subscription filter.' };
        },
      };
    },
    renderError: renderPlainError,
  };
}
