import { createHash } from 'node:crypto';

import type { Authorizer, Principal } from '@slipway/auth/contract';
import { deliveryWindow } from '@slipway/auth/kit';
import type { Sealer } from '@slipway/auth/tokens';
import { transact } from '@slipway/storage/records';

import { type EcsPorts, scan } from '../../cluster/index.ts';
import { actingFor, findService, primaryOf, type ServiceRef } from '../../services/index.ts';
import {
  type Delegate,
  installationPartition,
  newId,
  type ServiceRecord,
  type TaskDefinitionRecord,
  toJson,
} from '../../state/index.ts';
import { findDefinition, parseDefinition } from '../../tasks/index.ts';

import { webhookKeys } from './keys.ts';

/** An address that whoever knows its secret can call to roll one service. */
export interface WebhookRecord extends ServiceRef {
  readonly id: string;
  /** Opens with the purpose {@link sealedFor}. */
  readonly sealedSecret: string;
  /** The service that it was made for; another one under the same name is not it. */
  readonly serviceCreatedAt: number;
  readonly createdAt: number;
  /** Who made it: deliveries act in this name, and do nothing once its bearer may not update the service any more. */
  readonly maker: Maker;
  readonly lastUsedAt?: number;
  /** Signatures of the last minutes, each accepted once. */
  readonly used: readonly { readonly signature: string; readonly at: number }[];
  /** What came lately and what was answered, the newest last; none in webhooks that were made before this was kept. */
  readonly deliveries?: readonly DeliveryRecord[];
}

/** A delivery with a good signature. */
export interface DeliveryRecord {
  /** Of the signature: who reads it learns nothing that can be sent again. */
  readonly id: string;
  /** When it came last. Milliseconds since the epoch. */
  readonly at: number;
  /** The image that it names; without one the service is compared with what it follows. */
  readonly image?: string;
  /** The status and the words of the last answer. */
  readonly status: number;
  readonly answer: string;
  /** How often it was taken up: by its sender who repeated it, or by a redelivery. */
  readonly attempts: number;
  /** Whoever redelivered it last. */
  readonly by?: string;
}

/** A user, or a session with its key: whatever a session made ends with it, and is narrowed by its policies. */
type Maker = Delegate & Pick<Principal, 'accessKeyId' | 'expiresAt'>;

/** The principal that a webhook's deliveries act as. One of a session whose key was not kept stands for nobody any more. */
export const actsAs = ({ maker }: WebhookRecord): Principal =>
  maker.accessKeyId === undefined && maker.type !== 'assumed-role' ? actingFor(maker) : maker;

function makerOf({ type, account, arn, id, accessKeyId, expiresAt }: Principal): Maker {
  const session = expiresAt === undefined || accessKeyId === undefined ? {} : { accessKeyId, expiresAt };
  return { type, account, arn, id, ...session };
}

export interface WebhookPorts extends EcsPorts {
  readonly sealer: Sealer;
  /** Tells, for a list of webhooks, which of their makers may still do what they do. */
  readonly authorizer: Authorizer;
}

/** Deliveries that one hook accepts within the window in which signatures are remembered. */
export const mostDeliveries = 300;

/** Deliveries that a webhook remembers. */
export const keptDeliveries = 20;

const sealedFor = (id: string): string => `webhook ${id}`;

/**
 * Makes a webhook for a service; the secret is shown this once.
 * @returns undefined when there is no such service
 */
export async function createWebhook(
  ports: WebhookPorts,
  ref: ServiceRef,
  principal: Principal,
): Promise<{ readonly webhook: WebhookRecord; readonly secret: string } | undefined> {
  const service = await findService(ports, ref);
  if (service?.status !== 'ACTIVE') return undefined;
  const id = newId(ports.random);
  const secret = Buffer.from(ports.random(32)).toString('base64url');
  const webhook: WebhookRecord = {
    account: ref.account,
    cluster: ref.cluster,
    service: ref.service,
    id,
    sealedSecret: ports.sealer.seal(secret, sealedFor(id)),
    serviceCreatedAt: service.createdAt,
    createdAt: ports.clock.now(),
    maker: makerOf(principal),
    used: [],
  };
  await ports.records.commit(installationPartition, {
    put: [{ key: webhookKeys.webhook(id), value: toJson(webhook) }],
  });
  return { webhook, secret };
}

/** The revision that a delivery builds on: the one of the service's newest deployment. */
export async function definitionOf(
  ports: EcsPorts,
  account: string,
  service: ServiceRecord | undefined,
): Promise<TaskDefinitionRecord | undefined> {
  const arn = service === undefined ? undefined : primaryOf(service)?.taskDefinition;
  if (arn === undefined) return undefined;
  return findDefinition(ports, account, parseDefinition(arn, { account, region: ports.region }));
}

/** The webhooks of a service. */
export async function listWebhooks(ports: WebhookPorts, ref: ServiceRef): Promise<WebhookRecord[]> {
  const found: WebhookRecord[] = [];
  for await (const { value } of scan<WebhookRecord>(ports.records, installationPartition, webhookKeys.all))
    if (isFor(value, ref)) found.push(value);
  return found;
}

/** @returns whether the service had this webhook */
export async function deleteWebhook(ports: WebhookPorts, ref: ServiceRef, id: string): Promise<boolean> {
  return transact(ports.records, installationPartition, async (tx) => {
    const found = await tx.get<WebhookRecord>(webhookKeys.webhook(id));
    if (found === undefined || !isFor(found, ref)) return false;
    tx.remove(webhookKeys.webhook(id));
    return true;
  });
}

/** A webhook and its secret. */
export async function openWebhook(
  ports: WebhookPorts,
  id: string,
): Promise<{ readonly webhook: WebhookRecord; readonly secret: string } | undefined> {
  const stored = await ports.records.get<WebhookRecord>(installationPartition, webhookKeys.webhook(id));
  if (stored === undefined) return undefined;
  return { webhook: stored.value, secret: ports.sealer.open(stored.value.sealedSecret, sealedFor(id)) };
}

/** Uses a signature up; `repeated` when it has been used already, `throttled` when too many were. */
export async function useSignature(
  ports: WebhookPorts,
  id: string,
  signature: string,
): Promise<'fresh' | 'repeated' | 'throttled' | 'gone'> {
  return transact(ports.records, installationPartition, async (tx) => {
    const webhook = await tx.get<WebhookRecord>(webhookKeys.webhook(id));
    if (webhook === undefined) return 'gone';
    const now = ports.clock.now();
    // A signature can be good for one window before its time and one after it.
    const used = webhook.used.filter(({ at }) => now - at <= 2 * deliveryWindow);
    if (used.some((one) => one.signature === signature)) return 'repeated';
    if (used.length >= mostDeliveries) return 'throttled';
    const next: WebhookRecord = { ...webhook, lastUsedAt: now, used: [...used, { signature, at: now }] };
    tx.put(webhookKeys.webhook(id), toJson(next));
    return 'fresh';
  });
}

/** A delivery could not be carried out: its sender may repeat it as it is. */
export async function releaseSignature(ports: WebhookPorts, id: string, signature: string): Promise<void> {
  await transact(ports.records, installationPartition, async (tx) => {
    const webhook = await tx.get<WebhookRecord>(webhookKeys.webhook(id));
    if (webhook === undefined) return;
    const next: WebhookRecord = { ...webhook, used: webhook.used.filter((one) => one.signature !== signature) };
    tx.put(webhookKeys.webhook(id), toJson(next));
  });
}

const isFor = (webhook: WebhookRecord, ref: ServiceRef): boolean =>
  webhook.account === ref.account && webhook.cluster === ref.cluster && webhook.service === ref.service;

/** What is said of a delivery. @returns its id */
export const deliveryId = (signature: string): string =>
  createHash('sha256').update(signature).digest('hex').slice(0, 16);

/** Keeps what became of a delivery; the oldest of many goes. Nothing happens where the webhook is gone. */
export async function keepDelivery(
  ports: WebhookPorts,
  webhookId: string,
  delivery: Omit<DeliveryRecord, 'at' | 'attempts'>,
): Promise<void> {
  await transact(ports.records, installationPartition, async (tx) => {
    const webhook = await tx.get<WebhookRecord>(webhookKeys.webhook(webhookId));
    if (webhook === undefined) return;
    const { deliveries = [] } = webhook;
    const before = deliveries.find(({ id }) => id === delivery.id);
    const kept = { ...delivery, at: ports.clock.now(), attempts: (before?.attempts ?? 0) + 1 };
    const next = [...deliveries.filter((one) => one !== before), kept].slice(-keptDeliveries);
    tx.put(webhookKeys.webhook(webhookId), toJson({ ...webhook, deliveries: next }));
  });
}

/** A delivery of a service's webhook that is still remembered. */
export async function findDelivery(
  ports: WebhookPorts,
  ref: ServiceRef,
  place: { readonly webhook: string; readonly delivery: string },
): Promise<{ readonly webhook: WebhookRecord; readonly delivery: DeliveryRecord } | undefined> {
  const webhook = (await ports.records.get<WebhookRecord>(installationPartition, webhookKeys.webhook(place.webhook)))
    ?.value;
  const delivery = webhook?.deliveries?.find(({ id }) => id === place.delivery);
  return webhook === undefined || delivery === undefined || !isFor(webhook, ref) ? undefined : { webhook, delivery };
}
