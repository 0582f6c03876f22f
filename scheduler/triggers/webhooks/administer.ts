import { type AccessRequest, type Call, type WebRoute, type WebService } from '@slipway/auth/gateway';

import { findService, type ServiceRef } from '../../services/index.ts';
import { arns } from '../../state/index.ts';

import { createWebhook, deleteWebhook, listWebhooks, type WebhookContext, type WebhookRecord } from './store.ts';
import { renderError, WebhookError } from './web.ts';

/**
 * `/slipway/webhooks/<cluster>/<service>`: POST makes a webhook (`ecs:UpdateService` on the service), GET lists them
 * (`ecs:DescribeServices`), DELETE with the id behind it removes one (`ecs:UpdateService`). Callers send the password of
 * GetAuthorizationToken as docker does.
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
      const access = (action: string) => async (call: Call) => [await allow(context, action, refOf(call))] as const;
      if (method === 'POST' && id === undefined) {
        return {
          name: 'POST webhook of a service',
          access: access('ecs:UpdateService'),
          handle: async (ctx, call) => {
            const made = await createWebhook(context, refOf(call), call.principal.arn);
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
            ctx.body = { webhooks: found.map((webhook) => view(webhook, call)) };
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

async function allow(context: WebhookContext, action: string, ref: ServiceRef): Promise<AccessRequest> {
  const { region } = context;
  const tags = (await findService(context, ref))?.tags;
  const arn = arns.service(region, ref.account, ref.cluster, ref.service);
  return {
    action,
    resources: [{ arn, ...(tags === undefined ? {} : { tags }) }],
    context: { 'ecs:cluster': arns.cluster(region, ref.account, ref.cluster) },
  };
}

const view = (webhook: WebhookRecord, call: Call): object => ({
  id: webhook.id,
  url: `${call.endpoint}/webhooks/${webhook.id}`,
  createdAt: new Date(webhook.createdAt).toISOString(),
  createdBy: webhook.createdBy,
  ...(webhook.lastUsedAt === undefined ? {} : { lastUsedAt: new Date(webhook.lastUsedAt).toISOString() }),
});
