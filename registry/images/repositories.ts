import { type Json, removePrefix, transact } from '@slipway/storage/records';
import { type ImagesPorts, newId } from './ports.ts';
import { removeManifest } from './delete-manifest.ts';
import { adjustCount, type Count, isOver, readCount, shardOf } from './counts.ts';
import { ImagesError } from './errors.ts';
import { digestOf } from './manifest.ts';
import { keys, registryPartition } from './keys.ts';
import type { RepositoryName } from './names.ts';
import type { ManifestRecord, RegistryRecord, RepositoryRecord } from './records.ts';
import type { Digest } from '@slipway/storage/blobs';

export interface NewRepository {
  readonly name: RepositoryName;
  readonly tagMutability?: RepositoryRecord['tagMutability'];
  readonly tagExclusions?: RepositoryRecord['tagExclusions'];
  readonly scanOnPush?: boolean;
  readonly encryption?: RepositoryRecord['encryption'];
  readonly tags?: Readonly<Record<string, string>>;
  readonly policy?: string;
  readonly lifecyclePolicy?: string;
  readonly public?: RepositoryRecord['public'];
}

export interface RepositoryPage {
  readonly repositories: readonly RepositoryRecord[];
  readonly more: boolean;
}

/** Repositories and the settings of the registry they are in. */
export interface Repositories {
  /** @throws ImagesError `RepositoryAlreadyExists` */
  create(account: string, repository: NewRepository, actor: string): Promise<RepositoryRecord>;
  /** The repository, made first when it is not there. */
  ensure(account: string, repository: NewRepository, actor: string): Promise<RepositoryRecord>;
  find(account: string, name: string): Promise<RepositoryRecord | undefined>;
  /** @throws ImagesError `RepositoryNotFound` */
  get(account: string, name: string): Promise<RepositoryRecord>;
  /** Ordered by name. */
  list(account: string, page: { readonly after?: string; readonly limit: number }): Promise<RepositoryPage>;
  /**
   * Changes settings. `change` gets the newest state and returns the next; it may run again when another writer was faster.
   * @throws ImagesError `RepositoryNotFound`, or what `change` throws
   */
  update(
    account: string,
    name: string,
    change: (repository: RepositoryRecord) => RepositoryRecord,
  ): Promise<RepositoryRecord>;
  /**
   * With `force`, its images go first.
   * @throws ImagesError `RepositoryNotFound`, `RepositoryNotEmpty`
   */
  remove(
    account: string,
    name: RepositoryName,
    options: { readonly force: boolean; readonly actor: string },
  ): Promise<RepositoryRecord>;
  /** Images of a repository and their bytes, from its counters. */
  count(account: string, name: string): Promise<Count>;
  registry(account: string): Promise<RegistryRecord>;
  updateRegistry(account: string, change: (registry: RegistryRecord) => RegistryRecord): Promise<RegistryRecord>;
}

/** The scope under which repositories themselves are counted; no repository has such a name. */
const allRepositories = '*';

export const repositoryNotFound = (account: string, name: string): ImagesError =>
  new ImagesError(
    'RepositoryNotFound',
    `The repository with name '${name}' does not exist in the registry with id '${account}'`,
    { name },
  );

/** Near the registry's limit everybody who makes a repository writes under the same conditions. */
const manyAttempts = { attempts: 200 };

export function createRepositories(ports: ImagesPorts): Repositories {
  const { records } = ports;

  const find = async (account: string, name: string): Promise<RepositoryRecord | undefined> =>
    (await records.get<RepositoryRecord>(registryPartition(account), keys.repository(name)))?.value;

  const get = async (account: string, name: string): Promise<RepositoryRecord> => {
    const repository = await find(account, name);
    if (repository === undefined) throw repositoryNotFound(account, name);
    return repository;
  };

  const put = (
    account: string,
    wanted: NewRepository,
    actor: string,
    whenThere: 'refuse' | 'use',
  ): Promise<RepositoryRecord> =>
    transact(
      records,
      registryPartition(account),
      async (tx) => {
        const present = await tx.get<RepositoryRecord>(keys.repository(wanted.name));
        if (present !== undefined) {
          if (whenThere === 'use') return present;
          throw new ImagesError(
            'RepositoryAlreadyExists',
            `The repository with name '${wanted.name}' already exists in the registry with id '${account}'`,
            { name: wanted.name },
          );
        }
        const repository: RepositoryRecord = {
          name: wanted.name,
          id: newId(ports),
          createdAt: ports.clock.now(),
          tagMutability: wanted.tagMutability ?? 'MUTABLE',
          ...(wanted.tagExclusions ? { tagExclusions: wanted.tagExclusions } : {}),
          scanOnPush: wanted.scanOnPush ?? false,
          encryption: wanted.encryption ?? { encryptionType: 'AES256' },
          tags: wanted.tags ?? {},
          ...(wanted.policy === undefined ? {} : { policy: wanted.policy }),
          ...(wanted.public === undefined ? {} : { public: wanted.public }),
          ...(wanted.lifecyclePolicy === undefined ? {} : { lifecyclePolicy: wanted.lifecyclePolicy }),
        };
        const shard = shardOf(digestOf(Buffer.from(wanted.name)));
        const row = await adjustCount(tx, allRepositories, shard, { images: 1, bytes: 0 });
        if (await isOver(ports, tx, account, allRepositories, shard, row.images, ports.limits.repositories))
          throw new ImagesError(
            'TooManyRepositories',
            `The registry already has ${ports.limits.repositories} repositories, which is its limit`,
          );
        tx.put(keys.repository(wanted.name), repository as unknown as Json);
        tx.announce({
          topic: 'registry',
          type: 'repository.created',
          data: { account, repository: wanted.name, actor },
        });
        return repository;
      },
      manyAttempts,
    );

  /** Removes the images one commit each; leaves none that was there at the start. */
  const empty = async (account: string, repository: RepositoryRecord, actor: string): Promise<void> => {
    const partition = registryPartition(account);
    // Indexes hold their children back, so a pass may have to skip some; each pass that starts with images removes at least one.
    for (;;) {
      const page = await records.list<ManifestRecord>(partition, {
        prefix: keys.manifests(repository.name),
        limit: 1000,
      });
      if (page.records.length === 0) return;
      for (const { key } of page.records) {
        const digest = key.slice(keys.manifests(repository.name).length) as Digest;
        await removeManifest(ports, { account, repository: repository.name, digest, actor, evenInUse: true });
      }
    }
  };

  return {
    create: (account, wanted, actor) => put(account, wanted, actor, 'refuse'),
    ensure: (account, wanted, actor) => put(account, wanted, actor, 'use'),
    find,
    get,
    async list(account, { after, limit }) {
      const page = await records.list<RepositoryRecord>(registryPartition(account), {
        prefix: keys.repositories,
        limit,
        ...(after === undefined ? {} : { after: keys.repository(after) }),
      });
      return { repositories: page.records.map((record) => record.value), more: page.more };
    },
    update: async (account, name, change) => {
      const changed = await transact(records, registryPartition(account), async (tx) => {
        const present = await tx.get<RepositoryRecord>(keys.repository(name));
        if (present === undefined) throw repositoryNotFound(account, name);
        const next = change(present);
        if (next !== present) tx.put(keys.repository(name), next as unknown as Json);
        return next;
      });
      ports.reads.forget(account, name);
      return changed;
    },
    async remove(account, name, { force, actor }) {
      const partition = registryPartition(account);
      for (;;) {
        const repository = await get(account, name);
        const held = await records.list(partition, { prefix: keys.manifests(name), limit: 1 });
        if (held.records.length > 0 && !force) {
          throw new ImagesError(
            'RepositoryNotEmpty',
            `The repository with name '${name}' in registry with id '${account}' cannot be deleted because it still contains images`,
            { name },
          );
        }
        if (held.records.length > 0) await empty(account, repository, actor);
        const removed = await removeRow(ports, account, repository, actor);
        ports.reads.forget(account, name);
        if (removed) return repository;
      }
    },
    count: (account, name) => readCount(ports, account, name),
    registry: async (account) =>
      (await records.get<RegistryRecord>(registryPartition(account), keys.registry))?.value ?? {},
    updateRegistry: (account, change) =>
      transact(records, registryPartition(account), async (tx) => {
        const present = (await tx.get<RegistryRecord>(keys.registry)) ?? {};
        const next = change(present);
        if (next !== present) tx.put(keys.registry, next as unknown as Json);
        return next;
      }),
  };
}

/** The last step of a removal; false when an image came in meanwhile. Uploads under way end with their repository. */
async function removeRow(
  ports: ImagesPorts,
  account: string,
  repository: RepositoryRecord,
  actor: string,
): Promise<boolean> {
  const { records } = ports;
  return transact(records, registryPartition(account), async (tx) => {
    const present = await tx.get<RepositoryRecord>(keys.repository(repository.name));
    if (present?.id !== repository.id) throw repositoryNotFound(account, repository.name);
    const held = await tx.list({ prefix: keys.manifests(repository.name), limit: 1 });
    if (held.records.length > 0) return false;
    tx.require({ prefix: keys.manifests(repository.name), empty: true });
    tx.remove(keys.repository(repository.name));
    await adjustCount(tx, allRepositories, shardOf(digestOf(Buffer.from(repository.name))), { images: -1, bytes: 0 });
    // A preview must not outlive what it was made of.
    await removePrefix(tx, keys.previewParts(repository.name));
    tx.remove(keys.preview(repository.name));
    tx.announce({
      topic: 'registry',
      type: 'repository.deleted',
      data: { account, repository: repository.name, actor },
    });
    return true;
  });
}
