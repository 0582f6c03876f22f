import { resolve } from 'node:path';
import { readCredentials, readServerState, writeCredentials } from '../server/state-files.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';

/** `slipway env`: the variables that point the AWS CLI, the SDKs and Terraform at the server whose data folder this is. */
export function printEnv(options: { readonly data: string; readonly output: string }): void {
  const output = parseOutput(options.output);
  const variables = awsVariables(options.data);
  if (output === 'json') printJson(variables);
  else {
    // Whatever the shell had from elsewhere would win over, or mix with, these.
    print('unset AWS_SESSION_TOKEN AWS_PROFILE');
    for (const [name, value] of Object.entries(variables)) print(`export ${name}=${shellQuote(value)}`);
  }
}

/**
 * `slipway env --recover`: writes the administrator's key to its file again, out of the server's own stores. Whoever may read these
 * and the key file is the operator.
 * @throws CliError when there is no installation, or its administrator has no active key any more
 */
export async function recoverCredentials(data: string): Promise<void> {
  const { openStores } = await import('./stores.ts');
  await using stores = await openStores(data);
  const { config, identity } = stores;
  const key = await identity.administratorKey(config.account);
  if (key === undefined)
    throw new CliError(`the user admin of the account ${config.account} is gone or has no active access key`);
  writeCredentials(config.credentialsFile, key);
  await identity.confirmAdministrator(config.account);
}

/** @throws CliError when no server has ever run on this data folder */
export function awsVariables(data: string): Record<string, string> {
  const server = readServerState(data);
  if (!server)
    throw new CliError(
      `no server has left its address in ${resolve(data)}; start it first ("npm start"), or name its folder with --data`,
    );
  const credentials = readCredentials(server.credentialsFile);
  if (!credentials)
    throw new CliError(
      `no credentials in ${server.credentialsFile}; "slipway env --recover", with the server's own SLIPWAY_* variables, writes the administrator's key there again`,
    );
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: server.region,
    AWS_DEFAULT_REGION: server.region,
    AWS_ENDPOINT_URL: server.endpoint,
    // Clients put `stream-` before the host of StartLiveTail, which resolves at AWS alone.
    AWS_DISABLE_HOST_PREFIX_INJECTION: 'true',
  };
}

function shellQuote(value: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
