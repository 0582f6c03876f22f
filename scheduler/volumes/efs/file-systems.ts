import type { CreateFileSystemCommandInput, FileSystemDescription } from '@aws-sdk/client-efs';
import { requestTags, rowsOf, tagList, tagsAsSent } from '@slipway/auth/kit';
import { hasRoom } from '@slipway/storage/records';

import { toJson } from '../../state/index.ts';

import { noFileSystem, notDone, refuse } from './errors.ts';
import { efsKeys } from './keys.ts';
import { access, type EfsApi, type EfsOperations, efsTags, mayList } from './options.ts';
import type { FileSystemRecord, MountTargetRecord } from './records.ts';

/** File systems of an account (EFS user guide, "Quotas"). */
const mostFileSystems = 1000;

/** CreateFileSystem, DescribeFileSystems, UpdateFileSystem, UpdateFileSystemProtection and DeleteFileSystem. */
export function fileSystemOperations(api: EfsApi): EfsOperations {
  const { fileSystems, pages } = api;
  const show = async (account: string, one: FileSystemRecord): Promise<FileSystemDescription> =>
    view(api, account, one, await fileSystems.mountTargets(account, one.id));
  return {
    CreateFileSystem: {
      access: ({ Tags }, call) => [
        access(
          'CreateFileSystem',
          { arn: fileSystems.arn(call.account, 'file-system', '*') },
          requestTags(tagsAsSent(Tags)),
        ),
      ],
      handle: async (input, { account }) => {
        const made = makeFileSystem(api, input);
        await fileSystems.transact(account, async (tx) => {
          const there = await tx.get<{ readonly id: string }>(efsKeys.token(made.creationToken));
          if (there !== undefined)
            throw refuse(
              'FileSystemAlreadyExists',
              `File system '${there.id}' already exists with creation token '${made.creationToken}'`,
              { FileSystemId: there.id },
            );
          if (!(await hasRoom(tx, efsKeys.fileSystems, mostFileSystems)))
            throw refuse('FileSystemLimitExceeded', `An account has at most ${mostFileSystems} file systems.`);
          tx.put(efsKeys.token(made.creationToken), { id: made.id });
          tx.put(efsKeys.fileSystem(made.id), toJson(made));
        });
        return view(api, account, made, []);
      },
    },
    DescribeFileSystems: {
      access: async ({ FileSystemId }, { account }) => [
        FileSystemId === undefined
          ? mayList('DescribeFileSystems')
          : access('DescribeFileSystems', await fileSystems.fileSystemRef(account, FileSystemId)),
      ],
      handle: async ({ FileSystemId, CreationToken, Marker, MaxItems }, { account }) => {
        const all =
          FileSystemId === undefined
            ? await fileSystems.all(account)
            : [await fileSystems.fileSystem(account, FileSystemId)];
        const targets = Map.groupBy(await fileSystems.mountTargets(account), (target) => target.fileSystemId);
        const list = ['DescribeFileSystems', CreationToken];
        const request = { nextToken: Marker, maxResults: MaxItems };
        const rows = rowsOf(all, ({ id }) => id, await pages.start(account, list, request));
        const { items, nextToken } = await pages.page(account, list, request, rows, (one) =>
          CreationToken === undefined || one.creationToken === CreationToken
            ? view(api, account, one, targets.get(one.id) ?? [])
            : undefined,
        );
        return { FileSystems: items, ...(nextToken === undefined ? {} : { NextMarker: nextToken }) };
      },
    },
    UpdateFileSystem: {
      access: async ({ FileSystemId = '' }, { account }) => [
        access('UpdateFileSystem', await fileSystems.fileSystemRef(account, FileSystemId)),
      ],
      handle: async ({ FileSystemId = '', ThroughputMode, ProvisionedThroughputInMibps }, { account }) => {
        const mode = throughput({ ThroughputMode, ProvisionedThroughputInMibps });
        const changed = await fileSystems.change(account, FileSystemId, (before) => ({
          ...before,
          ...(ThroughputMode === undefined ? {} : { throughputMode: mode }),
        }));
        return show(account, changed);
      },
    },
    UpdateFileSystemProtection: {
      access: async ({ FileSystemId = '' }, { account }) => [
        access('UpdateFileSystemProtection', await fileSystems.fileSystemRef(account, FileSystemId)),
      ],
      handle: async ({ FileSystemId = '', ReplicationOverwriteProtection: wanted }, { account }) => {
        if (wanted === 'DISABLED')
          throw notDone("'ReplicationOverwriteProtection' DISABLED", 'Nothing replicates into a file system here.');
        await fileSystems.fileSystem(account, FileSystemId);
        return { ReplicationOverwriteProtection: 'ENABLED' };
      },
    },
    DeleteFileSystem: {
      access: async ({ FileSystemId = '' }, { account }) => [
        access('DeleteFileSystem', await fileSystems.fileSystemRef(account, FileSystemId)),
      ],
      handle: async ({ FileSystemId = '' }, { account }) => {
        const id = fileSystems.idIn(account, FileSystemId);
        await fileSystems.transact(account, async (tx) => {
          // Whatever is made of it writes it as well: what was not there when it was looked for comes after this, and finds nothing.
          const found = await tx.get<FileSystemRecord>(efsKeys.fileSystem(id));
          if (found === undefined) throw noFileSystem(FileSystemId);
          const points = await fileSystems.accessPoints(account, id);
          const targets = await fileSystems.mountTargets(account, id);
          if (targets.length > 0)
            throw refuse(
              'FileSystemInUse',
              `The file system ${id} has mount targets and cannot be deleted. Delete them first.`,
            );
          for (const point of points) tx.remove(efsKeys.accessPoint(point.id));
          tx.remove(efsKeys.fileSystem(id));
          tx.remove(efsKeys.token(found.creationToken));
        });
        return {};
      },
    },
  };
}

/** A new file system as a request wants it. @throws BadRequest for what nothing here acts on */
function makeFileSystem(api: EfsApi, input: CreateFileSystemCommandInput): FileSystemRecord {
  if (input.PerformanceMode === 'maxIO')
    throw notDone("'PerformanceMode' maxIO", 'File systems are as fast as the share that they lie on; leave it out.');
  if (input.KmsKeyId !== undefined)
    throw notDone("'KmsKeyId'", 'There is no key for each file system; encrypt the disks of the share.');
  if (input.Encrypted === true && !api.encryptedShare)
    throw notDone(
      "'Encrypted'",
      'Files lie on the share as they are. Leave it out, or have the operator put the share on encrypted disks and say so with SLIPWAY_EFS_ENCRYPTED=on.',
    );
  if (input.AvailabilityZoneName !== undefined)
    throw notDone("'AvailabilityZoneName'", 'Tasks of every zone see the same files; leave it out.');
  if (input.Backup === true) throw notDone("'Backup'", 'Back up the share by your own means.');
  return {
    id: api.fileSystems.newId('fs'),
    creationToken: input.CreationToken ?? '',
    createdAt: api.clock.now(),
    encrypted: input.Encrypted ?? false,
    throughputMode: throughput(input),
    tags: efsTags.parse(input.Tags),
  };
}

function throughput({
  ThroughputMode = 'bursting',
  ProvisionedThroughputInMibps,
}: Pick<
  CreateFileSystemCommandInput,
  'ThroughputMode' | 'ProvisionedThroughputInMibps'
>): FileSystemRecord['throughputMode'] {
  if (ThroughputMode === 'provisioned' || ProvisionedThroughputInMibps !== undefined)
    throw notDone('Provisioned throughput', 'File systems are as fast as the share that they lie on; use elastic.');
  return ThroughputMode === 'elastic' ? 'elastic' : 'bursting';
}

const view = (
  { fileSystems }: EfsApi,
  account: string,
  one: FileSystemRecord,
  targets: readonly MountTargetRecord[],
): FileSystemDescription => ({
  OwnerId: account,
  CreationToken: one.creationToken,
  FileSystemId: one.id,
  FileSystemArn: fileSystems.arn(account, 'file-system', one.id),
  CreationTime: new Date(one.createdAt),
  LifeCycleState: 'available',
  ...(one.tags['Name'] === undefined ? {} : { Name: one.tags['Name'] }),
  NumberOfMountTargets: targets.length,
  // Nobody counts what lies on the share.
  SizeInBytes: { Value: 0 },
  PerformanceMode: 'generalPurpose',
  Encrypted: one.encrypted,
  ThroughputMode: one.throughputMode,
  Tags: tagList(one.tags),
  FileSystemProtection: { ReplicationOverwriteProtection: 'ENABLED' },
});
