import { resolve } from 'node:path';
import { readCredentials, readServerState } from '../server/state-files.ts';
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
      `no credentials in ${server.credentialsFile}; were they moved? A user can get new ones with "aws iam create-access-key"`,
    );
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: server.region,
    AWS_DEFAULT_REGION: server.region,
    AWS_ENDPOINT_URL: server.endpoint,
  };
}

function shellQuote(value: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
