import { type AccessList, type Call, GatewayError, type WebService } from '@slipway/auth/contract';
import { signatureHeader, verifyDelivery } from '@slipway/auth/kit';
import { z } from 'zod';

import { findService, updateAccess } from '../../services/index.ts';
import { Roller, type RollerPorts } from '../roller.ts';

import { carryOut, type Outcome } from './carry-out.ts';
import {
  actsAs,
  definitionOf,
  deliveryId,
  keepDelivery,
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
        access: async (call) => {
          const { serviceCreatedAt } = accepted.webhook;
          const found = await findService(ports, accepted.webhook);
          if (found?.createdAt !== serviceCreatedAt || found.status !== 'ACTIVE') throw gone();
          const definition = await definitionOf(ports, accepted.webhook.account, found);
          const list = updateAccess(ports, accepted.webhook, found, definition);
          await keepRefusal(accepted, list, call);
          return list;
        },
        handle: async (ctx) => {
          const { body, signature } = accepted;
          const { account, cluster, service } = accepted.webhook;
          const { image } = parse(body);
          const use = await useSignature(ports, id, signature);
          if (use === 'throttled') throw new WebhookError(429, 'throttled', 'Too many deliveries; try again later.');
          if (use === 'gone') throw gone();
          ctx.body = { cluster, service, deployment: 'nothing to do' };
          ctx.status = 200;
          if (use === 'repeated') return;
          const place = { account, cluster, service };
          const { status, answer, error } = await carryOut(roller, place, { id, image, now: ports.clock.now() });
          if (error !== undefined) await releaseSignature(ports, id, signature);
          await keep(accepted, image, { status, answer });
          if (error !== undefined) throw error;
          ctx.status = status;
          ctx.body = { cluster, service, deployment: answer };
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

  function keep({ webhook, signature }: Accepted, image: string | undefined, outcome: Outcome): Promise<void> {
    const named = image === undefined ? {} : { image };
    return keepDelivery(ports, webhook.id, { id: deliveryId(signature), ...named, ...outcome });
  }

  /** The gateway refuses what the maker may not do any more; that is kept once for each signature, however often it is sent. */
  async function keepRefusal(delivery: Accepted, list: AccessList, call: Call): Promise<void> {
    const { webhook, body, signature } = delivery;
    if (webhook.deliveries?.some(({ id, status }) => id === deliveryId(signature) && status === 403)) return;
    for (const access of list) {
      const { allowed, reason } = await ports.authorizer.authorize(actsAs(webhook), access, call);
      if (allowed) continue;
      let image: string | undefined;
      try {
        ({ image } = parse(body));
      } catch {
        // What it asks for cannot be read; that it was refused is kept all the same.
      }
      return keep(delivery, image, { status: 403, answer: `${webhook.maker.arn}: ${reason}` });
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
