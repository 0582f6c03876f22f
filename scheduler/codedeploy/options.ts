import type * as codedeploy from '@aws-sdk/client-codedeploy';
import type { AccessRequest, Authorizer, Call, Operations, Principal } from '@slipway/auth/contract';
import {
  type PageRules,
  Pages,
  createSigning,
  requestTags,
  storedKeys,
  TagSet,
  type WireTag,
  tagSentences,
  tagsAsSent,
} from '@slipway/auth/kit';
import type { Outbound } from '@slipway/auth/outbound';

import type { EcsPorts } from '../cluster/index.ts';
import type { TargetGroups } from '../services/index.ts';
import type { TaskNetworks } from '../tasks/index.ts';

import { refuse } from './errors.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import type { Place } from './names.ts';

/** Operations of the CodeDeploy API, by name, with the SDK's own types. */
export type CodeDeployOperations = Operations<typeof codedeploy>;

/** What CodeDeploy is made of. */
export interface CodeDeployOptions extends EcsPorts {
  /** Target groups and listeners, as services and deployment groups name them. */
  readonly targetGroups: Pick<TargetGroups, 'find' | 'rule'> & {
    /** ARN of the target group of a name; undefined where there is none. */
    named(account: string, name: string): Promise<string | undefined>;
  };
  readonly networks: TaskNetworks;
  /** What calls the webhooks of deployments. */
  readonly outbound: Pick<Outbound, 'check'>;
  /** Tells what the role of a deployment group may do. */
  readonly authorizer: Authorizer;
  /**
   * Takes on the role of a deployment group, as CodeDeploy does (`codedeploy.amazonaws.com` in its trust policy).
   * @throws AwsError when there is no such role, or it does not let CodeDeploy in
   */
  readonly takeRole: (request: {
    readonly roleArn: string;
    readonly sessionName: string;
    readonly sourceArn: string;
  }) => Promise<Principal>;
}

/** What the operations work with. */
export interface CodeDeployApi extends CodeDeployOptions {
  readonly pages: Pages;
}

export const placeOf = ({ region }: Pick<EcsPorts, 'region'>, { account }: Pick<Call, 'account'>): Place => ({
  region,
  account,
});

/** CodeDeploy's lists have pages of 100 and no size of the caller's. */
const rules: PageRules = {
  usual: 100,
  most: 100,
  badSize: (asked, most) => refuse('InvalidInput', `A page has 1 to ${most} items, not ${asked}.`),
  badToken: () => refuse('InvalidNextToken', 'The nextToken is not one of this list with the same filters.'),
};

export const codeDeployPages = ({ records, random }: Pick<EcsPorts, 'records' | 'random'>): Pages =>
  new Pages(
    createSigning(storedKeys(records, random, { partition: codeDeployPartition, key: codeDeployKeys.signingKey })),
    rules,
  );

/** Tags of applications and groups; refusals are InvalidTagsToAddException. */
export const codeDeployTags: TagSet = new TagSet({
  most: 50,
  refuse: ({ kind, key }) => refuse('InvalidTagsToAdd', tagSentences[kind](key)),
});

/** What somebody must be allowed to do `action` to one thing. */
export const access = (action: string, arn: string, tags?: readonly WireTag[]): AccessRequest => ({
  action: `codedeploy:${action}`,
  resources: [{ arn }],
  context: requestTags(tagsAsSent(tags)),
});
