import aws4 from 'aws4';
import { clientSettings, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson, table } from './output.ts';

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
  const answer = await ask(action, `/slipway/webhooks/${cluster}/${service}${id === undefined ? '' : `/${id}`}`);
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

async function ask(action: 'create' | 'list' | 'delete', path: string): Promise<unknown> {
  const { endpoint, region, credentials } = clientSettings();
  const url = new URL(path, endpoint);
  const method = { create: 'POST', list: 'GET', delete: 'DELETE' }[action];
  const { headers } = aws4.sign({ method, host: url.host, path: url.pathname, service: 'ecs', region }, credentials);
  const answer = await fetch(url, { method, headers: headers as Record<string, string> });
  const text = await answer.text();
  if (!answer.ok) throw new CliError(messageOf(text) ?? `the server answers ${answer.status}`);
  return text === '' ? undefined : JSON.parse(text);
}

function messageOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { message?: string }).message;
  } catch {
    return text.trim() === '' ? undefined : text.trim().slice(0, 500);
  }
}
