import { own, type OwnRoute } from './own-routes.ts';

/** What was sent to a webhook, and what it was answered last. */
export interface Delivery {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly image?: string;
  readonly status: number;
  readonly answer: string;
  readonly attempts: number;
  readonly by?: string;
}

/** An address whose deliveries roll a service. */
export interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly lastUsedAt?: string;
  readonly state: 'active' | 'stopped';
  readonly reason?: string;
  readonly deliveries: readonly Delivery[];
}

/** Shown once. */
export interface MadeWebhook {
  readonly url: string;
  readonly secret: string;
}

const base = (cluster: string, service: string): string =>
  `/slipway/webhooks/${encodeURIComponent(cluster)}/${encodeURIComponent(service)}`;

export const routes = {
  list: (cluster: string, service: string): OwnRoute => ({
    name: 'the list of webhooks',
    method: 'GET',
    path: base(cluster, service),
  }),
  create: (cluster: string, service: string): OwnRoute => ({
    name: 'CreateWebhook',
    method: 'POST',
    path: base(cluster, service),
  }),
  remove: (cluster: string, service: string, id: string): OwnRoute => ({
    name: 'DeleteWebhook',
    method: 'DELETE',
    path: `${base(cluster, service)}/${id}`,
  }),
  redeliver: (cluster: string, service: string, id: string, delivery: string): OwnRoute => ({
    name: 'Redeliver',
    method: 'POST',
    path: `${base(cluster, service)}/${id}/deliveries/${delivery}`,
  }),
};

/** The webhooks of a service with what they were sent lately. @throws AwsError */
export async function readWebhooks(cluster: string, service: string, signal: AbortSignal): Promise<readonly Webhook[]> {
  const { webhooks = [] } = (await own(routes.list(cluster, service), { signal })) as {
    readonly webhooks?: readonly Webhook[];
  };
  return webhooks;
}

/** Deliveries of all webhooks of a service, the newest first. */
export const deliveriesOf = (
  webhooks: readonly Webhook[],
): readonly (Delivery & { readonly webhook: string; readonly key: string })[] =>
  webhooks
    .flatMap(({ id, deliveries }) => deliveries.map((one) => ({ ...one, webhook: id, key: `${id} ${one.id}` })))
    .toSorted((a, b) => b.at.localeCompare(a.at));
