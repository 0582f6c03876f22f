import { type Constraints, defineService, restJson1, type ServiceDefinition } from '@slipway/auth/contract';

import { accessPointOperations } from './access-points.ts';
import { fileSystemOperations } from './file-systems.ts';
import { mountTargetOperations } from './mount-targets.ts';
import { notServedOperations } from './not-served.ts';
import { type EfsApi, type EfsOptions, efsPages } from './options.ts';
import { policyOperations } from './policies.ts';
import { tagOperations } from './tagging.ts';

/** Ids of users and groups. */
const unixId = { min: 0, max: 2 ** 32 - 1, integer: true } as const;

/** Lengths and ranges of the API reference. */
const constraints: Constraints = {
  CreationToken: { min: 1, max: 64 },
  ClientToken: { min: 1, max: 64 },
  FileSystemId: { max: 128 },
  AccessPointId: { max: 128 },
  ResourceId: { max: 128 },
  MountTargetId: { max: 45 },
  SubnetId: { max: 47 },
  Path: { min: 1, max: 100 },
  Permissions: { min: 3, max: 4, pattern: /[0-7]{3,4}/ },
  Uid: unixId,
  Gid: unixId,
  OwnerUid: unixId,
  OwnerGid: unixId,
  SecondaryGids: { max: 16 },
  'SecondaryGids[]': unixId,
  SecurityGroups: { max: 100 },
  Policy: { min: 1, max: 20_000 },
  PerformanceMode: { values: ['generalPurpose', 'maxIO'] },
  ThroughputMode: { values: ['bursting', 'provisioned', 'elastic'] },
  LifecyclePolicies: { max: 10 },
  Tags: { max: 200 },
  TagKeys: { max: 50 },
};

/** The API of EFS (2015-02-01) as the gateway serves it. */
export function createEfs(options: EfsOptions): ServiceDefinition {
  const api: EfsApi = { ...options, pages: efsPages(options) };
  return defineService({
    name: 'elasticfilesystem',
    protocol: restJson1('/2015-02-01/'),
    load: () => import('@aws-sdk/client-efs'),
    constraints,
    operations: {
      ...fileSystemOperations(api),
      ...mountTargetOperations(api),
      ...accessPointOperations(api),
      ...policyOperations(api),
      ...tagOperations(api),
      ...notServedOperations(),
    },
  });
}
