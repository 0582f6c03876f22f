import type { AccessRequest } from '../contract/index.ts';

/**
 * What a caller needs to hand a role to a service (IAM user guide, "Grant a user permissions to pass a role to an AWS service").
 * Operations that take a role's ARN add one to their access list for each.
 * @param service who gets the role, e.g. `ecs-tasks.amazonaws.com`
 * @param associatedResource the ARN of what the role is for, offered as `iam:AssociatedResourceArn`
 */
export function passRole(roleArn: string, service: string, associatedResource?: string): AccessRequest {
  return {
    action: 'iam:PassRole',
    resources: [{ arn: roleArn }],
    context: {
      'iam:PassedToService': service,
      ...(associatedResource === undefined ? {} : { 'iam:AssociatedResourceArn': associatedResource }),
    },
  };
}
