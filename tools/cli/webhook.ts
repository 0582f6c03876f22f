import { parseService } from './aws-client.ts';
import { harmless, parseOutput, print, printJson, table } from './output.ts';
import { askServer } from './own-routes.ts';

interface Webhook {
  readonly id: string;
  readonly url?: string;
  readonly secret?: string;
  readonly createdAt?: string;
  readonly createdBy?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly deliveries?: readonly Delivery[];
}

/** What was sent to a webhook, as its list tells it. */
interface Delivery {
  readonly id: string;
  readonly at: string;
  readonly image?: string;
  readonly status: number;
  readonly answer: string;
  readonly attempts: number;
}

/** `slipway webhook create|list|delete <cluster/service>`: inbound webhooks that roll a service, through the server's own administration route. */
export async function webhook(
  action: 'create' | 'list' | 'delete',
  name: string,
  id: string | undefined,
  options: { readonly output: string },
): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service } = parseService(name);
  const method = ({ create: 'POST', list: 'GET', delete: 'DELETE' } as const)[action];
  const answer = await askServer(method, `/slipway/webhooks/${cluster}/${service}${id === undefined ? '' : `/${id}`}`);
  if (output === 'json') {
    printJson(answer ?? {});
    return;
  }
  switch (action) {
    case 'create': {
      const made = answer as Webhook;
      print(`url     ${made.url ?? made.id}`);
      print(`secret  ${made.secret ?? ''}`);
      print('The secret is shown this once. How to sign a delivery: scheduler/triggers/README.md, "Webhooks".');
      return;
    }
    case 'list': {
      const { webhooks = [] } = answer as { webhooks?: readonly Webhook[] };
      print(
        webhooks.length === 0
          ? 'no webhooks'
          : table(
              ['ID', 'STATE', 'URL', 'CREATED BY', 'WHY IT STOPPED'],
              webhooks.map((it) => [it.id, it.state ?? '', it.url ?? '', it.createdBy ?? '', it.reason ?? '']),
            ),
      );
      return;
    }
    case 'delete':
      print(`deleted ${id ?? ''}`);
  }
}

/** `slipway webhook deliveries <cluster/service>`: what was sent to its webhooks lately, and what was answered. */
export async function deliveries(name: string, options: { readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service } = parseService(name);
  const { webhooks = [] } = (await askServer('GET', `/slipway/webhooks/${cluster}/${service}`)) as {
    readonly webhooks?: readonly Webhook[];
  };
  const found = webhooks
    .flatMap(({ id, deliveries = [] }) => deliveries.map((one) => ({ webhook: id, ...one })))
    .toSorted((a, b) => b.at.localeCompare(a.at));
  if (output === 'json') printJson(found);
  else if (found.length === 0) print('nothing was sent to its webhooks yet');
  else
    print(
      table(
        ['AT', 'WEBHOOK', 'DELIVERY', 'IMAGE', 'ANSWER', 'ATTEMPTS'],
        found.map((one) => [
          one.at,
          one.webhook,
          one.id,
          harmless(one.image ?? ''),
          `${one.status} ${harmless(one.answer)}`,
          String(one.attempts),
        ]),
      ),
    );
}

/** `slipway webhook redeliver <cluster/service> <webhook> <delivery>`: does again what a delivery asked for, with the caller's rights. */
export async function redeliver(
  name: string,
  id: string,
  delivery: string,
  options: { readonly output: string },
): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service } = parseService(name);
  const path = `/slipway/webhooks/${cluster}/${service}/${id}/deliveries/${delivery}`;
  const answer = (await askServer('POST', path)) as { readonly deployment?: string };
  if (output === 'json') printJson(answer);
  else print(answer.deployment === 'started' ? 'a deployment was started' : (answer.deployment ?? ''));
}
