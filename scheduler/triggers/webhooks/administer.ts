import type { Call, WebRoute, WebService } from '@slipway/auth/contract';

import { findService, type ServiceRef } from '../../services/index.ts';

import { serviceAccess, updateAccess } from './access.ts';
import { createWebhook, deleteWebhook, listWebhooks, type WebhookContext, type WebhookRecord } from './store.ts';
import { renderError, WebhookError } from './web.ts';

/**
 * `/slipway/webhooks/<cluster>/<service>`: POST makes a webhook (`ecs:UpdateService` on the service), GET lists them
 * (`ecs:DescribeServices`) and says which still work, DELETE with the id behind it removes one (`ecs:UpdateService`).
 * Callers send the password of GetAuthorizationToken as docker does.
 */
export function createWebhookAdministration(context: WebhookContext): WebService {
  return {
    name: 'webhook-administration',
    prefix: '/slipway/webhooks/',
    authentication: 'docker',
    samples: [
      { method: 'GET', path: '/slipway/webhooks/default/web' },
      { method: 'POST', path: '/slipway/webhooks/default/web' },
      { method: 'DELETE', path: '/slipway/webhooks/default/web/00000000000000000000000000000000' },
    ],
    route(method, path): WebRoute | undefined {
      const [, cluster, service, id] =
        /^\/slipway\/webhooks\/([\w-]{1,255})\/([\w-]{1,255})(?:\/([0-9a-f]{32}))?$/.exec(path) ?? [];
      if (cluster === undefined || service === undefined) return undefined;
      const refOf = (call: Call): ServiceRef => ({ account: call.account, cluster, service });
      const access = (action: string) => async (call: Call) => {
        const ref = refOf(call);
        return [serviceAccess(context, action, ref, await findService(context, ref))] as const;
      };
      if (method === 'POST' && id === undefined) {
        return {
          name: 'POST webhook of a service',
          access: access('ecs:UpdateService'),
          handle: async (ctx, call) => {
            if (call.principal.type === 'federated-user') throw new WebhookError(400, 'bad-request', noFederatedUser);
            const made = await createWebhook(context, refOf(call), call.principal);
            if (made === undefined) throw missing('service');
            ctx.status = 201;
            ctx.body = { ...view(made.webhook, call), secret: made.secret };
          },
        };
      }
      if (method === 'GET' && id === undefined) {
        return {
          name: 'GET webhooks of a service',
          access: access('ecs:DescribeServices'),
          handle: async (ctx, call) => {
            const found = await listWebhooks(context, refOf(call));
            ctx.body = {
              webhooks: await Promise.all(
                found.map(async (webhook) => ({ ...view(webhook, call), ...(await stateOf(context, webhook, call)) })),
              ),
            };
          },
        };
      }
      if (method === 'DELETE' && id !== undefined) {
        return {
          name: 'DELETE webhook of a service',
          access: access('ecs:UpdateService'),
          handle: async (ctx, call) => {
            if (!(await deleteWebhook(context, refOf(call), id))) throw missing('webhook');
            ctx.status = 204;
          },
        };
      }
      return undefined;
    },
    renderError,
  };
}

const missing = (what: string): WebhookError => new WebhookError(404, 'not-found', `There is no such ${what}.`);

const noFederatedUser =
  'A webhook goes on acting for whoever made it: make it as a user or a role, not with GetFederationToken credentials.';

/** Whether deliveries to a webhook would be taken, seen from the address that asks. */
async function stateOf(
  context: WebhookContext,
  webhook: WebhookRecord,
  call: Call,
): Promise<{ readonly state: 'active' | 'stopped'; readonly reason?: string }> {
  const service = await findService(context, webhook);
  if (service?.createdAt !== webhook.serviceCreatedAt || service.status !== 'ACTIVE')
    return { state: 'stopped', reason: 'The service that it was made for is gone.' };
  const access = updateAccess(context, webhook, service);
  const { allowed, reason } = await context.authorizer.authorize({ ...webhook.maker, delegated: true }, access, call);
  return allowed ? { state: 'active' } : { state: 'stopped', reason: `${webhook.maker.arn}: ${reason}` };
}

const view = (webhook: WebhookRecord, call: Call): object => ({
  id: webhook.id,
  url: `${call.endpoint}/webhooks/${webhook.id}`,
  createdAt: new Date(webhook.createdAt).toISOString(),
  createdBy: webhook.maker.arn,
  ...(webhook.lastUsedAt === undefined ? {} : { lastUsedAt: new Date(webhook.lastUsedAt).toISOString() }),
});
