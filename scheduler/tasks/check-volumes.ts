import type { EFSVolumeConfiguration, Volume } from '@aws-sdk/client-ecs';

import { isName, refuseMembers } from '../cluster/index.ts';
import type { TaskDefinitionBody } from './definition.ts';
import { checkOneOf, checkUnique, refuse } from './definition-error.ts';

const otherwise = "Use an 'efsVolumeConfiguration', or 'host.sourcePath' of a folder that is mounted on the instances.";

/** @throws ClientException, InvalidParameterException when a volume breaks a rule of its own */
export function checkVolumes({ volumes = [], taskRoleArn }: TaskDefinitionBody): void {
  checkUnique(
    'volume',
    volumes.map(({ name }) => name),
  );
  for (const volume of volumes) checkVolume(volume, taskRoleArn);
}

function checkVolume(volume: Volume, taskRoleArn: string | undefined): void {
  const { name = '', host, dockerVolumeConfiguration: docker, efsVolumeConfiguration: efs } = volume;
  if (!isName(name)) refuse(`Invalid volume name '${name}': use 1 to 255 letters, digits, hyphens and underscores.`);
  const where = `volumes['${name}'].`;
  refuseMembers(
    volume,
    {
      s3filesVolumeConfiguration: otherwise,
      fsxWindowsFileServerVolumeConfiguration: `Tasks run on Linux. ${otherwise}`,
      configuredAtLaunch: `There are no EBS volumes. ${otherwise} 'dockerVolumeConfiguration' of scope 'shared' keeps data on one instance.`,
    },
    where,
  );
  if ([docker, host, efs].filter((given) => given !== undefined).length > 1) {
    refuse(
      `Volume '${name}' may have one of 'host', 'dockerVolumeConfiguration' and 'efsVolumeConfiguration', not several.`,
    );
  }
  if (host?.sourcePath !== undefined && !host.sourcePath.startsWith('/')) {
    refuse(`Volume '${name}': 'host.sourcePath' must be an absolute path, not '${host.sourcePath}'.`);
  }
  if (docker !== undefined) checkOneOf(undefined, `${where}scope`, docker.scope, ['task', 'shared']);
  if (efs !== undefined) checkFileSystem(name, where, efs, taskRoleArn);
}

/** A folder of a file system: absolute, and leading nowhere up, without names that are none. */
const isRoot = (path: string): boolean => /^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[^/\0\n]+)+\/?)$/.test(path);

/** ECS API reference, `EFSVolumeConfiguration` and `EFSAuthorizationConfig`. */
function checkFileSystem(
  name: string,
  where: string,
  efs: EFSVolumeConfiguration,
  taskRoleArn: string | undefined,
): void {
  const { fileSystemId = '', rootDirectory = '/', transitEncryption, authorizationConfig } = efs;
  if (!/^fs-[0-9a-f]{8,40}$/.test(fileSystemId))
    refuse(`Volume '${name}': '${fileSystemId}' is no id of a file system; it is like fs-0123456789abcdef0.`);
  if (rootDirectory.length > 250 || !isRoot(rootDirectory))
    refuse(
      `Volume '${name}': 'rootDirectory' must be an absolute path of at most 250 characters without '.' and '..', not '${rootDirectory}'.`,
    );
  checkOneOf(undefined, `${where}efsVolumeConfiguration.transitEncryption`, transitEncryption, ['ENABLED', 'DISABLED']);
  refuseMembers(
    efs,
    {
      transitEncryptionPort:
        'Nothing listens on it: instances mount their own folder of file systems. Remove the member.',
    },
    `${where}efsVolumeConfiguration.`,
  );
  const { accessPointId, iam } = authorizationConfig ?? {};
  checkOneOf(undefined, `${where}efsVolumeConfiguration.authorizationConfig.iam`, iam, ['ENABLED', 'DISABLED']);
  if (accessPointId !== undefined && !/^fsap-[0-9a-f]{8,40}$/.test(accessPointId))
    refuse(`Volume '${name}': '${accessPointId}' is no id of an access point; it is like fsap-0123456789abcdef0.`);
  if (accessPointId !== undefined && rootDirectory !== '/')
    refuse(`Volume '${name}': with an access point, 'rootDirectory' must be omitted or '/'.`);
  if ((accessPointId !== undefined || iam === 'ENABLED') && transitEncryption !== 'ENABLED')
    refuse(`Volume '${name}': an access point or IAM authorization needs 'transitEncryption' ENABLED.`);
  if (iam === 'ENABLED' && !taskRoleArn)
    refuse(`Volume '${name}': IAM authorization is by the role of the task: set 'taskRoleArn'.`);
}
