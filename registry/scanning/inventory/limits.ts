/** How far the embedded scanner goes with one image before it calls it unscannable. Sizes in bytes, times in milliseconds. */
export interface InventoryLimits {
  /** All layers, decompressed. Default 32 GiB. */
  readonly bytes: number;
  /** Decompressed bytes for each compressed one, once a layer has given more than `ratioFrom`. Default 200. */
  readonly ratio: number;
  /** Default 16 MiB. */
  readonly ratioFrom: number;
  /** Entries of all layers. Default 2,000,000. */
  readonly entries: number;
  /** Default 4,096, as Linux. */
  readonly pathLength: number;
  /** An extended header or long name of a tar entry. Default 1 MiB. */
  readonly headerBytes: number;
  /** The database of a package manager, held in memory while it is read. Default 48 MiB. */
  readonly databaseBytes: number;
  /** A file that describes one package. Default 1 MiB. */
  readonly descriptionBytes: number;
  /** A Java archive, held in memory. Default 32 MiB. */
  readonly archiveBytes: number;
  /** Archives within archives. Default 2. */
  readonly nesting: number;
  /** Default 100,000. */
  readonly packages: number;
  /** Default 10 minutes. */
  readonly time: number;
}

export const defaultInventoryLimits: InventoryLimits = {
  bytes: 32 * 1024 ** 3,
  ratio: 200,
  ratioFrom: 16 * 1024 * 1024,
  entries: 2_000_000,
  pathLength: 4096,
  headerBytes: 1024 * 1024,
  databaseBytes: 48 * 1024 * 1024,
  descriptionBytes: 1024 * 1024,
  archiveBytes: 32 * 1024 * 1024,
  nesting: 2,
  packages: 100_000,
  time: 10 * 60_000,
};

/** The image cannot be looked into, and trying again will not help. The message says why. */
export class Unscannable extends Error {
  override readonly name = 'Unscannable';
}
