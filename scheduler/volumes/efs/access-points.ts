import type { AccessPointDescription, CreateAccessPointCommandInput } from '@aws-sdk/client-efs';
import { requestTags, rowsOf, tagList, tagsAsSent } from '@slipway/auth/kit';

import { toJson } from '../../state/index.ts';

import { badRequest, noAccessPoint, noFileSystem, refuse } from './errors.ts';
import { efsKeys } from './keys.ts';
import { access, type EfsApi, type EfsOperations, efsTags, mayList } from './options.ts';
import type { AccessPointRecord, FileSystemRecord } from './records.ts';

/** Access points of a file system, and of an account: fewer than EFS's 10,000 of each file system, since all of the account are looked at. */
const most = { ofFileSystem: 1000, ofAccount: 10_000 } as const;

/**
 * A path of an access point (API reference, `Path`): four names at most, none of which begins with a dot, so that none leads up.
 * What EFS leaves out for shells is left out here as well.
 */
const pathPattern = /^(?:\/|(?:\/(?!\.)[^$#<>;`|&?{}^*/\n\0]+){1,4})$/;

/** CreateAccessPoint, DescribeAccessPoints and DeleteAccessPoint. */
export function accessPointOperations(api: EfsApi): EfsOperations {
  const { fileSystems, pages } = api;
  const view = (account: string, one: AccessPointRecord): AccessPointDescription => ({
    ClientToken: one.clientToken,
    ...(one.tags['Name'] === undefined ? {} : { Name: one.tags['Name'] }),
    Tags: tagList(one.tags),
    AccessPointId: one.id,
    AccessPointArn: fileSystems.arn(account, 'access-point', one.id),
    FileSystemId: one.fileSystemId,
    ...(one.posixUser === undefined
      ? {}
      : {
          PosixUser: {
            Uid: one.posixUser.uid,
            Gid: one.posixUser.gid,
            ...(one.posixUser.secondaryGids.length === 0 ? {} : { SecondaryGids: [...one.posixUser.secondaryGids] }),
          },
        }),
    RootDirectory: {
      Path: one.path,
      ...(one.creation === undefined
        ? {}
        : {
            CreationInfo: {
              OwnerUid: one.creation.uid,
              OwnerGid: one.creation.gid,
              Permissions: one.creation.permissions,
            },
          }),
    },
    OwnerId: account,
    LifeCycleState: 'available',
  });
  return {
    CreateAccessPoint: {
      access: async ({ FileSystemId = '', Tags }, { account }) => [
        access(
          'CreateAccessPoint',
          await fileSystems.fileSystemRef(account, FileSystemId),
          requestTags(tagsAsSent(Tags)),
        ),
      ],
      handle: async (input, { account }) => {
        const { id: fileSystemId } = await fileSystems.fileSystem(account, input.FileSystemId ?? '');
        const made = makeAccessPoint(fileSystems.newId('fsap'), fileSystemId, input);
        await fileSystems.transact(account, async (tx) => {
          const key = efsKeys.fileSystem(fileSystemId);
          const owner = await tx.get<FileSystemRecord>(key);
          if (owner === undefined) throw noFileSystem(fileSystemId);
          const all = await fileSystems.accessPoints(account);
          const same = all.find(({ clientToken }) => clientToken === made.clientToken);
          if (same !== undefined)
            throw refuse(
              'AccessPointAlreadyExists',
              `Access point already exists with client token ${made.clientToken}`,
              { AccessPointId: same.id },
            );
          if (all.length >= most.ofAccount)
            throw refuse('AccessPointLimitExceeded', `An account has at most ${most.ofAccount} access points.`);
          if (all.filter((one) => one.fileSystemId === fileSystemId).length >= most.ofFileSystem)
            throw refuse('AccessPointLimitExceeded', `A file system has at most ${most.ofFileSystem} access points.`);
          tx.put(efsKeys.accessPoint(made.id), toJson(made));
          // Two at once, or one beside a removal, are one after the other.
          tx.put(key, toJson(owner));
        });
        return view(account, made);
      },
    },
    DescribeAccessPoints: {
      access: async ({ AccessPointId, FileSystemId }, { account }) => [
        AccessPointId !== undefined
          ? access('DescribeAccessPoints', await fileSystems.accessPointRef(account, AccessPointId))
          : FileSystemId !== undefined
            ? access('DescribeAccessPoints', await fileSystems.fileSystemRef(account, FileSystemId))
            : mayList('DescribeAccessPoints'),
      ],
      handle: async ({ AccessPointId, FileSystemId, NextToken, MaxResults }, { account }) => {
        if (AccessPointId !== undefined && FileSystemId !== undefined)
          throw badRequest('AccessPointId and FileSystemId are mutually exclusive.');
        const of = FileSystemId === undefined ? undefined : (await fileSystems.fileSystem(account, FileSystemId)).id;
        const found =
          AccessPointId === undefined
            ? await fileSystems.accessPoints(account, of)
            : [await fileSystems.accessPoint(account, AccessPointId)];
        const list = ['DescribeAccessPoints', of];
        const request = { nextToken: NextToken, maxResults: MaxResults };
        const rows = rowsOf(found, ({ id }) => id, await pages.start(account, list, request));
        const { items, nextToken } = await pages.page(account, list, request, rows, (one) => view(account, one));
        return { AccessPoints: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
      },
    },
    DeleteAccessPoint: {
      access: async ({ AccessPointId = '' }, { account }) => [
        access('DeleteAccessPoint', await fileSystems.accessPointRef(account, AccessPointId)),
      ],
      handle: async ({ AccessPointId = '' }, { account }) => {
        await fileSystems.transact(account, async (tx) => {
          const key = efsKeys.accessPoint(fileSystems.idIn(account, AccessPointId));
          if ((await tx.get(key)) === undefined) throw noAccessPoint(AccessPointId);
          tx.remove(key);
        });
        return {};
      },
    },
  };
}

/** @throws BadRequest */
function makeAccessPoint(id: string, fileSystemId: string, input: CreateAccessPointCommandInput): AccessPointRecord {
  const { PosixUser: user, RootDirectory: root } = input;
  const path = root?.Path ?? '/';
  if (!pathPattern.test(path))
    throw badRequest(
      `'${path}' is no path of an access point: use / or one to four names, none of which begins with a dot.`,
    );
  const creation = root?.CreationInfo;
  return {
    id,
    clientToken: input.ClientToken ?? '',
    fileSystemId,
    ...(user === undefined
      ? {}
      : {
          posixUser: { uid: user.Uid ?? 0, gid: user.Gid ?? 0, secondaryGids: user.SecondaryGids ?? [] },
        }),
    path,
    ...(creation === undefined
      ? {}
      : {
          creation: {
            uid: creation.OwnerUid ?? 0,
            gid: creation.OwnerGid ?? 0,
            permissions: creation.Permissions ?? '755',
          },
        }),
    tags: efsTags.parse(input.Tags),
  };
}
