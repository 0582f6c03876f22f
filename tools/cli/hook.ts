import { parseService } from './aws-client.ts';
import { parseOutput, print, printJson } from './output.ts';
import { askServer } from './own-routes.ts';

/**
 * `slipway hook secret <cluster/service>`: what the service's deployment hooks are signed with, or the lifecycle hooks of a group, through the server's
 * own administration routes.
 */
export async function hookSecret(
  name: string,
  options: { readonly output: string; readonly renew?: boolean; readonly group?: boolean },
): Promise<void> {
  const output = parseOutput(options.output);
  const method = options.renew === true ? 'DELETE' : 'POST';
  const answer = (await (options.group === true
    ? askServer(method, `/slipway/groups/${encodeURIComponent(name)}`, { service: 'autoscaling' })
    : ofService(method, name))) as { readonly secret?: string };
  if (output === 'json') printJson(answer);
  else print(answer.secret ?? '');
}

function ofService(method: 'DELETE' | 'POST', name: string): Promise<unknown> {
  const { cluster, service } = parseService(name);
  return askServer(method, `/slipway/hooks/${cluster}/${service}`);
}
