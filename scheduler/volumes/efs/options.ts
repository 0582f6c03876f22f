import type * as efs from '@aws-sdk/client-efs';
import type {
  AccessRequest,
  Authorizer,
  ConditionContext,
  Operations,
  PolicyPrincipals,
  ResourceRef,
} from '@slipway/auth/contract';
import { createSigning, type PageRules, Pages, storedKeys, TagSet, tagSentences } from '@slipway/auth/kit';

import type { EcsPorts } from '../../cluster/index.ts';
import type { Networks } from '../../network/records/index.ts';

import { badRequest } from './errors.ts';
import { efsKeys, efsPartition } from './keys.ts';
import type { FileSystems } from './store.ts';

/** Operations of the EFS API, by name, with the SDK's own types. */
export type EfsOperations = Operations<typeof efs>;

/** What EFS is made of. */
export interface EfsOptions extends Pick<EcsPorts, 'records' | 'clock' | 'random' | 'region'> {
  readonly fileSystems: FileSystems;
  /** Subnets and security groups, which mount targets name. */
  readonly networks: Pick<Networks, 'read'>;
  /** Who the policies of file systems are about. */
  readonly principals: PolicyPrincipals;
  /** Tells whether a policy locks its author out. */
  readonly authorizer: Authorizer;
  /** Whether the operator says that the disks of the share are encrypted. */
  readonly encryptedShare: boolean;
}

/** What the operations work with. */
export interface EfsApi extends EfsOptions {
  readonly pages: Pages;
}

/** EFS's lists have pages of 100 (API reference, `MaxItems`, `MaxResults`). */
const rules: PageRules = {
  usual: 100,
  most: 100,
  badSize: (asked, most) => badRequest(`A page has 1 to ${most} items, not ${asked}.`),
  badToken: () => badRequest('The token is not one of this list with the same filters.'),
};

export const efsPages = ({ records, random }: Pick<EcsPorts, 'records' | 'random'>): Pages =>
  new Pages(createSigning(storedKeys(records, random, { partition: efsPartition, key: efsKeys.signingKey })), rules);

/** Tags of file systems and access points. */
export const efsTags: TagSet = new TagSet({
  most: 50,
  refuse: ({ kind, key }) => badRequest(tagSentences[kind](key)),
});

/** What somebody must be allowed to do `action` to one thing. */
export const access = (action: string, resource: ResourceRef, context?: ConditionContext): AccessRequest => ({
  action: `elasticfilesystem:${action}`,
  resources: [resource],
  ...(context === undefined ? {} : { context }),
});

/** What somebody must be allowed who lists what there is. */
export const mayList = (action: string): AccessRequest => access(action, { arn: '*' });
