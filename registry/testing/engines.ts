import { distributedMissing, startDistributed } from '@slipway/storage/engine/testing';
import type { StorageConfig } from '@slipway/storage/engine';

/** Engines to run a registry on; `storage` is undefined for SQLite and files in the registry's own folder. */
export interface Engines extends AsyncDisposable {
  readonly storage?: StorageConfig;
}

export { distributedMissing } from '@slipway/storage/engine/testing';

export const engineNames = ['SQLite and files', 'Redis and S3'] as const;

export type EngineName = (typeof engineNames)[number];

/** Why an engine cannot be had here; under CI that is a failure, so nothing is reported missing there. */
export const missingEngine = (name: EngineName): string | undefined =>
  name === 'Redis and S3' && process.env['CI'] === undefined ? distributedMissing : undefined;

export async function startEngines(name: EngineName): Promise<Engines> {
  return name === 'SQLite and files' ? { [Symbol.asyncDispose]: async () => {} } : startDistributed();
}
