import { arnOf, parseArn } from '@slipway/auth/kit';

import { refuse } from './errors.ts';

/** Names of applications, groups and configurations (CodeDeploy user guide, "Naming constraints"). */
const names = /^[A-Za-z0-9._+=,@-]{1,100}$/;

/** @throws ApplicationNameRequiredException, InvalidApplicationNameException */
export function checkApplication(name: string | undefined): string {
  if (name === undefined || name === '') throw refuse('ApplicationNameRequired', 'Application name is required.');
  if (!names.test(name))
    throw refuse(
      'InvalidApplicationName',
      'Application names have 1 to 100 characters: letters, digits and . _ + - = , @',
    );
  return name;
}

/** @throws DeploymentGroupNameRequiredException, InvalidDeploymentGroupNameException */
export function checkGroup(name: string | undefined): string {
  if (name === undefined || name === '')
    throw refuse('DeploymentGroupNameRequired', 'Deployment group name is required.');
  if (!names.test(name))
    throw refuse(
      'InvalidDeploymentGroupName',
      'Deployment group names have 1 to 100 characters: letters, digits and . _ + - = , @',
    );
  return name;
}

/** @throws DeploymentConfigNameRequiredException, InvalidDeploymentConfigNameException */
export function checkConfiguration(name: string | undefined): string {
  if (name === undefined || name === '')
    throw refuse('DeploymentConfigNameRequired', 'Deployment configuration name is required.');
  if (!names.test(name))
    throw refuse(
      'InvalidDeploymentConfigName',
      'Deployment configuration names have 1 to 100 characters: letters, digits and . _ + - = , @',
    );
  return name;
}

/** Where something of CodeDeploy is. */
export interface Place {
  readonly region: string;
  readonly account: string;
}

const arn = ({ region, account }: Place, resource: string): string =>
  arnOf({ service: 'codedeploy', region, account, resource });

/** ARNs of CodeDeploy (service authorization reference). */
export const arns = {
  application: (place: Place, name: string): string => arn(place, `application:${name}`),
  group: (place: Place, application: string, name: string): string =>
    arn(place, `deploymentgroup:${application}/${name}`),
  configuration: (place: Place, name: string): string => arn(place, `deploymentconfig:${name}`),
} as const;

/** What an ARN of the account's names that has tags. */
export type Named =
  | { readonly kind: 'application'; readonly application: string }
  | { readonly kind: 'group'; readonly application: string; readonly group: string };

/** @throws ResourceArnRequiredException, InvalidArnException, ArnNotSupportedException */
export function readArn(place: Place, text: string | undefined): Named {
  if (text === undefined || text === '') throw refuse('ResourceArnRequired', 'The ARN of a resource is required.');
  const parsed = parseArn(text);
  if (parsed?.service !== 'codedeploy' || parsed.region !== place.region || parsed.account !== place.account)
    throw refuse(
      'InvalidArn',
      `'${text.slice(0, 200)}' is not the ARN of anything of CodeDeploy in this account and region.`,
    );
  const [, application] = /^application:(.+)$/.exec(parsed.resource) ?? [];
  if (application !== undefined) return { kind: 'application', application };
  const [, of, group] = /^deploymentgroup:([^/]+)\/(.+)$/.exec(parsed.resource) ?? [];
  if (of !== undefined && group !== undefined) return { kind: 'group', application: of, group };
  throw refuse('ArnNotSupported', 'Applications and deployment groups have tags; nothing else of CodeDeploy has.');
}
