import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type Identity, openIdentity } from '@slipway/auth/identity';
import { type Images, openImages } from '@slipway/registry/images';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { ConfigError, readConfig, type ServerConfig } from '../server/config.ts';
import { checkDataFolder } from '../server/data-folder.ts';
import { identityKey, openKeyFile } from '../server/key-file.ts';
import { storageConfig } from '../server/storage-config.ts';
import { CliError } from './errors.ts';

/** The installation's stores, as commands of its operator use them beside a running server. */
export interface Stores extends AsyncDisposable {
  readonly config: ServerConfig;
  readonly storage: Storage;
  readonly identity: Identity;
  readonly images: Images;
}

/**
 * Opens the stores that the server's own settings name; run it where the server runs, with the same `SLIPWAY_*` variables.
 * @throws CliError when there is no installation, or its stores cannot be opened
 */
export async function openStores(data: string): Promise<Stores> {
  process.umask(0o077);
  const config = readSettings(data);
  if (config.records.type === 'sqlite' && !existsSync(config.data)) {
    throw new CliError(`there is no installation in ${config.data}; name its data folder with --data`);
  }
  try {
    await checkDataFolder(config.data);
    const storage = await openStorage(storageConfig(config), systemClock);
    const identity = openIdentity({
      records: storage.records,
      clock: systemClock,
      random: randomBytes,
      encryptionKey: identityKey(openKeyFile(config.keyFile)),
      region: config.region,
    });
    const images = openImages({ records: storage.records, blobs: storage.blobs, clock: systemClock });
    return {
      config,
      storage,
      identity,
      images,
      [Symbol.asyncDispose]: async () => {
        await identity.close();
        await storage.close();
      },
    };
  } catch (error) {
    throw new CliError((error as Error).message);
  }
}

function readSettings(data: string): ServerConfig {
  try {
    return readConfig({ ...process.env, SLIPWAY_DATA: data });
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message);
    throw error;
  }
}
