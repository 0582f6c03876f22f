import { createHash } from 'node:crypto';

import { policyArn } from '../arns.ts';
import { ec2Policies } from './ec2.ts';
import { ecrPolicies } from './ecr.ts';
import { ecsPolicies } from './ecs.ts';
import { generalPolicies } from './general.ts';
import { s3Policies } from './s3.ts';
import { servicePolicies } from './services.ts';
import type { AwsManagedPolicy, ManagedPolicyText } from './types.ts';

export type { AwsManagedPolicy } from './types.ts';

/** When the policies below count as made; AWS's own dates differ from policy to policy and nothing depends on them. */
const created = Date.UTC(2026, 0, 1);

/** Ids that are the same on every server: made of the name, in the letters of an id. */
function idOf(name: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const digest = createHash('sha256').update(name).digest().subarray(0, 17);
  return `ANPA${[...digest].map((byte) => letters[byte % 32]).join('')}`;
}

function toPolicy({ name, path = '/', description, statements }: ManagedPolicyText): AwsManagedPolicy {
  return {
    arn: policyArn('aws', { path, name }),
    name,
    path,
    id: idOf(name),
    description,
    created,
    document: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
  };
}

/**
 * The AWS-managed policies that ECR and ECS users attach by name, under their ARNs at AWS, with the actions that AWS documents for
 * them (AWS managed policy reference). They have one version, `v1`, and cannot be changed.
 */
export const awsManagedPolicies: ReadonlyMap<string, AwsManagedPolicy> = new Map(
  [...generalPolicies, ...ecrPolicies, ...ecsPolicies, ...ec2Policies, ...s3Policies, ...servicePolicies]
    .map(toPolicy)
    .map((policy) => [policy.arn, policy]),
);
