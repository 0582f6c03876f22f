import { parseService } from './aws-client.ts';
import { parseOutput, print, printJson, table } from './output.ts';
import { askServer } from './own-routes.ts';

interface Webhook {
  readonly id: string;
  readonly url?: string;
  readonly secret?: string;
  readonly createdAt?: string;
  readonly createdBy?: string;
  readonly state?: string;
  readonly reason?: string;
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
