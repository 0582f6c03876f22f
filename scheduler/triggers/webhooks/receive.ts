import { GatewayError, type WebService } from '@slipway/auth/contract';
import { signatureHeader, verifyDelivery } from '@slipway/auth/kit';
import { z } from 'zod';

import { findService, type ServiceRef, updateAccess } from '../../services/index.ts';
import { ImageNotUsable, Roller, type RollerPorts } from '../roller.ts';

import {
  actsAs,
  definitionOf,
  openWebhook,
  releaseSignature,
  useSignature,
  type WebhookPorts,
  type WebhookRecord,
} from './store.ts';
import { renderError, WebhookError } from './web.ts';

/** Bytes. */
const largestBody = 65_536;

/** A delivery whose signature is good. */
interface Accepted {
  readonly webhook: WebhookRecord;
  readonly body: Buffer;
  readonly signature: string;
}

const stopped = 'The webhook acts in the name of whoever made it, who may not do this any more; make another one.';

const gone = (): WebhookError => new WebhookError(404, 'not-found', 'The service of this webhook is gone.');

/** What a delivery may say; members of other senders' payloads are left alone. */
const deliveryShape = z.object({ image: z.string().min(1).max(1024).optional() });

/** For hooks that do not exist: the answer takes the same steps. */
const noSecret = 'there is no such webhook';

/**
 * `POST /webhooks/<id>`: rolls the hook's service as a push does. An empty body, or one without `image`, compares the
 * service with what it follows now; `{ "image": "host/repository:tag" }` puts that image into the containers that run the
 * same repository. The body must be signed ({@link verifyDelivery}); each signature counts once. The delivery acts in the name of
 * whoever made the hook, user or session, and needs what that caller would need for an UpdateService, now.
 */
export function createWebhookReceiver(ports: WebhookPorts & RollerPorts): WebService {
  const roller = new Roller(ports);
  return {
    name: 'webhooks',
    prefix: '/webhooks/',
    authentication: 'none',
    samples: [{ method: 'POST', path: '/webhooks/00000000000000000000000000000000' }],
    route(method, path) {
      const id = /^\/webhooks\/([0-9a-f]{32})$/.exec(path)?.[1];
      if (id === undefined || method !== 'POST') return undefined;
      let accepted: Accepted;
      return {
        name: 'POST webhook',
        caller: async (ctx, readBody) => {
          accepted = await accept(id, await readBody(largestBody), ctx.get(signatureHeader));
          return { principal: actsAs(accepted.webhook), via: 'webhook' };
        },
        access: async () => {
          const { serviceCreatedAt } = accepted.webhook;
          const found = await findService(ports, accepted.webhook);
          if (found?.createdAt !== serviceCreatedAt || found.status !== 'ACTIVE') throw gone();
          const definition = await definitionOf(ports, accepted.webhook.account, found);
          return updateAccess(ports, accepted.webhook, found, definition);
        },
        handle: async (ctx) => {
          const { body, signature } = accepted;
          const { account, cluster, service } = accepted.webhook;
          const { image } = parse(body);
          const use = await useSignature(ports, id, signature);
          if (use === 'throttled') throw new WebhookError(429, 'throttled', 'Too many deliveries; try again later.');
          if (use === 'gone') throw gone();
          const place = { account, cluster, service };
          const started = use === 'fresh' && (await roll({ place, id, image, signature }));
          ctx.status = started ? 202 : 200;
          ctx.body = { cluster, service, deployment: started ? 'started' : 'nothing to do' };
        },
      };
    },
    renderError(ctx, error) {
      const denied = error instanceof GatewayError && error.kind === 'denied';
      renderError(ctx, denied ? new WebhookError(403, 'denied', `${stopped} ${error.message}`) : error);
    },
  };

  async function accept(id: string, body: Buffer, header: string): Promise<Accepted> {
    const opened = await openWebhook(ports, id);
    const signature = verifyDelivery(header, { secret: opened?.secret ?? noSecret, id, body, now: ports.clock.now() });
    if (opened === undefined || signature === undefined) {
      throw new GatewayError(
        'unauthenticated',
        `There is no such webhook, or ${signatureHeader} does not sign this body at this time.`,
      );
    }
    return { webhook: opened.webhook, body, signature };
  }

  async function roll(delivery: {
    readonly place: ServiceRef;
    readonly id: string;
    readonly image: string | undefined;
    readonly signature: string;
  }): Promise<boolean> {
    const { place, id, image, signature } = delivery;
    const occasion = { kind: 'webhook', at: ports.clock.now(), by: `webhook ${id}`, authorized: true } as const;
    try {
      return await roller.rollService(place, image === undefined ? occasion : { ...occasion, image });
    } catch (error) {
      await releaseSignature(ports, id, signature);
      if (error instanceof ImageNotUsable) throw new WebhookError(422, 'image', error.message);
      throw error;
    }
  }
}

function parse(body: Buffer): z.infer<typeof deliveryShape> {
  if (body.byteLength === 0) return {};
  try {
    return deliveryShape.parse(JSON.parse(body.toString('utf8')));
  } catch {
    throw new WebhookError(400, 'bad-request', 'The body must be empty or a JSON object; `image` is a text.');
  }
}
