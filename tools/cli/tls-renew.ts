import { readTrouble, requestRenewal } from '@slipway/auth/acme';
import { CliError } from './errors.ts';
import { print } from './output.ts';
import { openStores } from './stores.ts';

/**
 * `slipway tls renew`: has the running server order a new certificate by ACME now, whatever failed before.
 * @throws CliError when certificates do not come by ACME here
 */
export async function renewTls(options: { readonly data: string; readonly newAccount?: boolean }): Promise<void> {
  await using stores = await openStores(options.data);
  const { config, storage } = stores;
  if (config.acme === undefined)
    throw new CliError(
      'this installation has no certificate by ACME: set SLIPWAY_ACME_DOMAINS as for the server (see auth/acme/README.md), or use "slipway tls init"',
    );
  const failed = await readTrouble(storage.records);
  await requestRenewal(storage.records, { at: Date.now(), newAccount: options.newAccount ?? false });
  print(`A certificate for ${config.acme.names.join(', ')} is ordered now from ${config.acme.directory}.`);
  if (failed !== undefined) print(`The last order failed: ${failed.message}`);
  print('The log of the server says how it goes; "slipway doctor" shows what is served.');
}
