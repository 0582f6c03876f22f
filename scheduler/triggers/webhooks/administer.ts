import type { Call, WebRoute, WebService } from '@slipway/auth/contract';

import { findService, serviceAccess, type ServiceRef, updateAccess } from '../../services/index.ts';

import { Roller, type RollerPorts } from '../roller.ts';

import { carryOut } from './carry-out.ts';
import {
  actsAs,
  createWebhook,
  definitionOf,
  deleteWebhook,
  findDelivery,
  keepDelivery,
  listWebhooks,
  type WebhookPorts,
  type WebhookRecord,
} from './store.ts';
import { renderError, WebhookError } from './web.ts';

/**
 * `/slipway/webhooks/<cluster>/<service>`: POST makes a webhook (what an UpdateService to the service's newest revision needs), GET lists them
 * (`ecs:DescribeServices`), says which still work and what they were sent lately, DELETE with the id behind it removes one (`ecs:UpdateService`).
 * POST of `…/<id>/deliveries/<delivery>` does again what a delivery asked for, in the caller's name and with the caller's rights: it needs what
 * making a webhook does.
 * Requests are signed by SigV4 for `ecs`, without a body: docker's passwords outlive the sessions that they were given to.
 */
export function createWebhookAdministration(ports: WebhookPorts & RollerPorts): WebService {
  const roller = new Roller(ports);
  return {
    name: 'webhook-administration',
    prefix: '/slipway/webhooks/',
    authentication: { sigv4: 'ecs' },
    samples: [
      { method: 'GET', path: '/slipway/webhooks/default/web' },
      { method: 'POST', path: '/slipway/webhooks/default/web' },
      { method: 'DELETE', path: '/slipway/webhooks/default/web/00000000000000000000000000000000' },
      { method: 'POST', path: `/slipway/webhooks/default/web/${'0'.repeat(32)}/deliveries/${'0'.repeat(16)}` },
    ],
    route(method, path): WebRoute | undefined {
      const [, cluster, service, id, delivery] =
        /^\/slipway\/webhooks\/([\w-]{1,255})\/([\w-]{1,255})(?:\/([0-9a-f]{32})(?:\/deliveries\/([0-9a-f]{16}))?)?$/.exec(
          path,
        ) ?? [];
      if (cluster === undefined || service === undefined) return undefined;
      const refOf = (call: Call): ServiceRef => ({ account: call.account, cluster, service });
      const access = (action: string) => async (call: Call) => {
        const ref = refOf(call);
        return [serviceAccess(ports, action, ref, await findService(ports, ref))] as const;
      };
      const accessToMake = async (call: Call) => {
        const service = await findService(ports, refOf(call));
        return updateAccess(ports, refOf(call), service, await definitionOf(ports, call.account, service));
      };
      if (method === 'POST' && id === undefined) {
        return {
          name: 'POST webhook of a service',
          access: accessToMake,
          handle: async (ctx, call) => {
            if ((await findService(ports, refOf(call)))?.controller !== undefined)
              throw new WebhookError(
                409,
                'external-controller',
                'The deployment controller of this service is not ECS: whoever deploys it decides what it runs.',
              );
            const made = await createWebhook(ports, refOf(call), call.principal);
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
            const found = await listWebhooks(ports, refOf(call));
            ctx.body = {
              webhooks: await Promise.all(
                found.map(async (webhook) => ({ ...view(webhook, call), ...(await stateOf(ports, webhook, call)) })),
              ),
            };
          },
        };
      }
      if (id !== undefined && delivery !== undefined) {
        if (method !== 'POST') return undefined;
        return {
          name: 'POST delivery of a webhook again',
          access: accessToMake,
          handle: async (ctx, call) => {
            const place = refOf(call);
            const found = await findDelivery(ports, place, { webhook: id, delivery });
            const service = await findService(ports, place);
            if (found === undefined || service?.status !== 'ACTIVE') throw missing('delivery');
            if (service.createdAt !== found.webhook.serviceCreatedAt)
              throw new WebhookError(409, 'another-service', 'The service that it was sent to is gone.');
            const { image } = found.delivery;
            const how = { id, image, now: ports.clock.now(), redeliveredBy: call.principal.arn };
            const { status, answer, error } = await carryOut(roller, place, how);
            const { at: _at, attempts: _attempts, ...kept } = found.delivery;
            await keepDelivery(ports, id, { ...kept, status, answer, by: call.principal.arn });
            if (error !== undefined) throw error;
            ctx.status = status;
            ctx.body = { cluster: place.cluster, service: place.service, deployment: answer };
          },
        };
      }
      if (method === 'DELETE' && id !== undefined) {
        return {
          name: 'DELETE webhook of a service',
          access: access('ecs:UpdateService'),
          handle: async (ctx, call) => {
            if (!(await deleteWebhook(ports, refOf(call), id))) throw missing('webhook');
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

/** Whether deliveries to a webhook would be taken, seen from the address that asks. */
async function stateOf(
  ports: WebhookPorts,
  webhook: WebhookRecord,
  call: Call,
): Promise<{ readonly state: 'active' | 'stopped'; readonly reason?: string }> {
  const service = await findService(ports, webhook);
  if (service?.createdAt !== webhook.serviceCreatedAt || service.status !== 'ACTIVE')
    return { state: 'stopped', reason: 'The service that it was made for is gone.' };
  const definition = await definitionOf(ports, webhook.account, service);
  for (const access of updateAccess(ports, webhook, service, definition)) {
    const { allowed, reason } = await ports.authorizer.authorize(actsAs(webhook), access, call);
    if (!allowed) return { state: 'stopped', reason: `${webhook.maker.arn}: ${reason}` };
  }
  return { state: 'active' };
}

const view = (webhook: WebhookRecord, call: Call): object => ({
  id: webhook.id,
  url: `${call.endpoint}/webhooks/${webhook.id}`,
  createdAt: new Date(webhook.createdAt).toISOString(),
  createdBy: webhook.maker.arn,
  ...(webhook.lastUsedAt === undefined ? {} : { lastUsedAt: new Date(webhook.lastUsedAt).toISOString() }),
  deliveries: (webhook.deliveries ?? []).toReversed().map((one) => ({ ...one, at: new Date(one.at).toISOString() })),
});
