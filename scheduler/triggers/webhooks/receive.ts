import { readBody, type WebService } from '@slipway/auth/gateway';
import { z } from 'zod';

import { findService, type ServiceRef } from '../../services/index.ts';
import { ImageNotUsable, Roller, type RollerContext } from '../roller.ts';

import { signatureHeader, verify } from './signature.ts';
import { openWebhook, releaseSignature, useSignature, type WebhookContext } from './store.ts';
import { renderError, WebhookError } from './web.ts';

/** Bytes. */
const largestBody = 65_536;

/** What a delivery may say; members of other senders' payloads are left alone. */
const delivery = z.object({ image: z.string().min(1).max(1024).optional() });

/** For hooks that do not exist: the answer takes the same steps. */
const noSecret = 'there is no such webhook';

/**
 * `POST /webhooks/<id>`: rolls the hook's service as a push does. An empty body, or one without `image`, compares the
 * service with what it follows now; `{ "image": "host/repository:tag" }` puts that image into the containers that run the
 * same repository. The body must be signed ({@link verify}); each signature counts once.
 */
export function createWebhookReceiver(context: WebhookContext & RollerContext): WebService {
  const roller = new Roller(context);
  return {
    name: 'webhooks',
    prefix: '/webhooks/',
    authentication: 'none',
    samples: [{ method: 'POST', path: '/webhooks/00000000000000000000000000000000' }],
    route(method, path) {
      const id = /^\/webhooks\/([0-9a-f]{32})$/.exec(path)?.[1];
      if (id === undefined || method !== 'POST') return undefined;
      return {
        name: 'POST webhook',
        access: 'anonymous',
        handle: async (ctx) => {
          const body = await readBody(ctx.req, largestBody);
          const opened = await openWebhook(context, id);
          const secret = opened?.secret ?? noSecret;
          const header = ctx.get(signatureHeader);
          const signature = verify(header, { secret, id, body, now: context.clock.now() });
          if (opened === undefined || signature === undefined) {
            throw new WebhookError(
              401,
              'unauthenticated',
              `There is no such webhook, or ${signatureHeader} does not sign this body at this time.`,
            );
          }
          const { image } = parse(body);
          const use = await useSignature(context, id, signature);
          if (use === 'throttled') throw new WebhookError(429, 'throttled', 'Too many deliveries; try again later.');
          const { account, cluster, service, serviceCreatedAt } = opened.webhook;
          const place = { account, cluster, service };
          const found = await findService(context, place);
          if (use === 'gone' || found?.createdAt !== serviceCreatedAt || found.status !== 'ACTIVE') {
            throw new WebhookError(404, 'not-found', 'The service of this webhook is gone.');
          }
          const started = use === 'fresh' && (await roll({ place, id, image, signature }));
          ctx.status = started ? 202 : 200;
          ctx.body = { cluster, service, deployment: started ? 'started' : 'nothing to do' };
        },
      };
    },
    renderError,
  };

  async function roll(accepted: {
    readonly place: ServiceRef;
    readonly id: string;
    readonly image: string | undefined;
    readonly signature: string;
  }): Promise<boolean> {
    const { place, id, image, signature } = accepted;
    const occasion = { kind: 'webhook', at: context.clock.now(), by: `webhook ${id}` } as const;
    try {
      return await roller.rollService(place, image === undefined ? occasion : { ...occasion, image });
    } catch (error) {
      await releaseSignature(context, id, signature);
      if (error instanceof ImageNotUsable) throw new WebhookError(422, 'image', error.message);
      throw error;
    }
  }
}

function parse(body: Buffer): z.infer<typeof delivery> {
  if (body.byteLength === 0) return {};
  try {
    return delivery.parse(JSON.parse(body.toString('utf8')));
  } catch {
    throw new WebhookError(400, 'bad-request', 'The body must be empty or a JSON object; `image` is a text.');
  }
}
