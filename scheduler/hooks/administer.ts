import { type Call, renderPlainError, type WebService } from '@slipway/auth/contract';

import { type EcsPorts, findCluster } from '../cluster/index.ts';
import { findService, serviceAccess, type ServiceRef } from '../services/index.ts';
import { hookSecret, type SecretPorts } from './secrets.ts';

/**
 * `/slipway/hooks/<cluster>/<service>`: POST tells the secret that the service's webhook calls are signed with, and makes it if there is none; DELETE
 * makes another one. Both need `ecs:UpdateService` on the service, as setting a hook does; the service need not be there yet. Requests are signed by SigV4 for `ecs`.
 */
export function createHookAdministration(ports: EcsPorts & SecretPorts): WebService {
  return {
    name: 'hook-administration',
    prefix: '/slipway/hooks/',
    authentication: { sigv4: 'ecs' },
    samples: [
      { method: 'POST', path: '/slipway/hooks/default/web' },
      { method: 'DELETE', path: '/slipway/hooks/default/web' },
    ],
    route(method, path) {
      const [, cluster, service] = /^\/slipway\/hooks\/([\w-]{1,255})\/([\w-]{1,255})$/.exec(path) ?? [];
      if (cluster === undefined || service === undefined || (method !== 'POST' && method !== 'DELETE'))
        return undefined;
      const refOf = (call: Call): ServiceRef => ({ account: call.account, cluster, service });
      return {
        name: `${method} hook secret of a service`,
        access: async (call) => [
          serviceAccess(ports, 'ecs:UpdateService', refOf(call), await findService(ports, refOf(call))),
        ],
        handle: async (ctx, call) => {
          if ((await findCluster(ports, refOf(call)))?.status !== 'ACTIVE') {
            ctx.status = 404;
            ctx.body = { code: 'not-found', message: `There is no cluster ${cluster}.` };
            return;
          }
          ctx.body = { secret: await hookSecret(ports, refOf(call), method === 'DELETE') };
        },
      };
    },
    renderError: renderPlainError,
  };
}
