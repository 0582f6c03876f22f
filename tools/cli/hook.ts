import { parseService } from './aws-client.ts';
import { parseOutput, print, printJson } from './output.ts';
import { askServer } from './own-routes.ts';

/** `slipway hook secret <cluster/service>`: what the service's deployment hooks are signed with, through the server's own administration route. */
export async function hookSecret(
  name: string,
  options: { readonly output: string; readonly renew?: boolean },
): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service } = parseService(name);
  const method = options.renew === true ? 'DELETE' : 'POST';
  const answer = (await askServer(method, `/slipway/hooks/${cluster}/${service}`)) as { readonly secret?: string };
  if (output === 'json') printJson(answer);
  else print(answer.secret ?? '');
}
