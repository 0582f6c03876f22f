import type { MountTargetDescription } from '@aws-sdk/client-efs';
import { rowsOf } from '@slipway/auth/kit';

import { toJson } from '../../state/index.ts';

import { badRequest, noFileSystem, noMountTarget, notDone, refuse } from './errors.ts';
import { efsKeys } from './keys.ts';
import { access, type EfsApi, type EfsOperations } from './options.ts';
import type { FileSystemRecord, MountTargetRecord } from './records.ts';

/** Security groups of a mount target (EFS user guide, "Quotas"). */
const mostGroups = 5;

/**
 * Mount targets: a file system without one is mounted by nobody. They have no addresses, since nothing listens there: hosts reach the
 * share, and security groups are kept for those who read them.
 */
export function mountTargetOperations(api: EfsApi): EfsOperations {
  const { fileSystems, pages } = api;
  const ofTarget = async (action: string, account: string, id = '') =>
    access(action, await fileSystems.refOfMountTarget(account, id));
  return {
    CreateMountTarget: {
      access: async ({ FileSystemId = '' }, { account }) => [
        access('CreateMountTarget', await fileSystems.fileSystemRef(account, FileSystemId)),
      ],
      handle: async (input, { account }) => {
        const { SubnetId = '', SecurityGroups } = input;
        for (const [member, given] of [
          ['IpAddress', input.IpAddress],
          ['Ipv6Address', input.Ipv6Address],
          ['IpAddressType', input.IpAddressType === 'IPV4_ONLY' ? undefined : input.IpAddressType],
        ] as const)
          if (given !== undefined)
            throw notDone(`'${member}'`, 'Nothing listens at mount targets: hosts mount the share.');
        const { id: fileSystemId } = await fileSystems.fileSystem(account, input.FileSystemId ?? '');
        const network = await api.networks.read(account);
        const subnet = network.get('subnet', SubnetId);
        if (subnet === undefined) throw refuse('SubnetNotFound', `The subnet ID '${SubnetId}' does not exist`);
        const { vpcId, zone } = subnet;
        const usual = network.defaultGroup(vpcId)?.id;
        const securityGroups = SecurityGroups ?? (usual === undefined ? [] : [usual]);
        await checkGroups(api, account, securityGroups, vpcId);
        const made = {
          id: fileSystems.newId('fsmt'),
          fileSystemId,
          subnetId: SubnetId,
          vpcId,
          zone,
          securityGroups,
        } satisfies MountTargetRecord;
        await fileSystems.transact(account, async (tx) => {
          const key = efsKeys.fileSystem(fileSystemId);
          const owner = await tx.get<FileSystemRecord>(key);
          if (owner === undefined) throw noFileSystem(fileSystemId);
          const others = await fileSystems.mountTargets(account, fileSystemId);
          if (others.some((other) => other.vpcId !== vpcId))
            throw refuse(
              'MountTargetConflict',
              'requested subnet for new mount target is not in the same VPC as existing mount targets',
            );
          if (others.some((other) => other.zone === zone))
            throw refuse('MountTargetConflict', 'mount target already exists in this AZ');
          tx.put(efsKeys.mountTarget(made.id), toJson(made));
          // Two at once, or one beside a removal, are one after the other.
          tx.put(key, toJson(owner));
        });
        return view(account, made);
      },
    },
    DescribeMountTargets: {
      access: async ({ FileSystemId, MountTargetId, AccessPointId }, { account }) => [
        MountTargetId !== undefined
          ? await ofTarget('DescribeMountTargets', account, MountTargetId)
          : access(
              'DescribeMountTargets',
              AccessPointId === undefined
                ? await fileSystems.fileSystemRef(account, FileSystemId ?? '')
                : await fileSystems.accessPointRef(account, AccessPointId),
            ),
      ],
      handle: async ({ FileSystemId, MountTargetId, AccessPointId, Marker, MaxItems }, { account }) => {
        if ([FileSystemId, MountTargetId, AccessPointId].filter((given) => given !== undefined).length !== 1)
          throw badRequest('Exactly one of FileSystemId, MountTargetId and AccessPointId is required.');
        const of =
          AccessPointId === undefined
            ? FileSystemId
            : (await fileSystems.accessPoint(account, AccessPointId)).fileSystemId;
        const found =
          of === undefined
            ? [await fileSystems.mountTarget(account, MountTargetId ?? '')]
            : await fileSystems.mountTargets(account, (await fileSystems.fileSystem(account, of)).id);
        const list = ['DescribeMountTargets', of];
        const request = { nextToken: Marker, maxResults: MaxItems };
        const rows = rowsOf(found, ({ id }) => id, await pages.start(account, list, request));
        const { items, nextToken } = await pages.page(account, list, request, rows, (one) => view(account, one));
        return { MountTargets: items, ...(nextToken === undefined ? {} : { NextMarker: nextToken }) };
      },
    },
    DeleteMountTarget: {
      access: async ({ MountTargetId }, { account }) => [await ofTarget('DeleteMountTarget', account, MountTargetId)],
      handle: async ({ MountTargetId = '' }, { account }) => {
        await fileSystems.transact(account, async (tx) => {
          const key = efsKeys.mountTarget(MountTargetId);
          if ((await tx.get(key)) === undefined) throw noMountTarget(MountTargetId);
          tx.remove(key);
        });
        return {};
      },
    },
    DescribeMountTargetSecurityGroups: {
      access: async ({ MountTargetId }, { account }) => [
        await ofTarget('DescribeMountTargetSecurityGroups', account, MountTargetId),
      ],
      handle: async ({ MountTargetId = '' }, { account }) => ({
        SecurityGroups: [...(await fileSystems.mountTarget(account, MountTargetId)).securityGroups],
      }),
    },
    ModifyMountTargetSecurityGroups: {
      access: async ({ MountTargetId }, { account }) => [
        await ofTarget('ModifyMountTargetSecurityGroups', account, MountTargetId),
      ],
      handle: async ({ MountTargetId = '', SecurityGroups }, { account }) => {
        const { vpcId } = await fileSystems.mountTarget(account, MountTargetId);
        const usual = (await api.networks.read(account)).defaultGroup(vpcId)?.id;
        const securityGroups = SecurityGroups ?? (usual === undefined ? [] : [usual]);
        await checkGroups(api, account, securityGroups, vpcId);
        await fileSystems.transact(account, async (tx) => {
          const key = efsKeys.mountTarget(MountTargetId);
          const before = await tx.get<MountTargetRecord>(key);
          if (before === undefined) throw noMountTarget(MountTargetId);
          tx.put(key, toJson({ ...before, securityGroups }));
        });
        return {};
      },
    },
  };
}

async function checkGroups(api: EfsApi, account: string, groups: readonly string[], vpcId: string): Promise<void> {
  if (groups.length > mostGroups)
    throw refuse('SecurityGroupLimitExceeded', `A mount target has at most ${mostGroups} security groups.`);
  const network = await api.networks.read(account);
  const missing = groups.find((id) => network.get('security-group', id)?.vpcId !== vpcId);
  if (missing !== undefined)
    throw refuse('SecurityGroupNotFound', `The security group '${missing}' does not exist in VPC '${vpcId}'`);
}

const view = (account: string, one: MountTargetRecord): MountTargetDescription => ({
  OwnerId: account,
  MountTargetId: one.id,
  FileSystemId: one.fileSystemId,
  SubnetId: one.subnetId,
  LifeCycleState: 'available',
  AvailabilityZoneName: one.zone,
  VpcId: one.vpcId,
});
