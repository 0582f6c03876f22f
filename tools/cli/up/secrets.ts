import { createHash } from 'node:crypto';
import { callJson } from '../json-api.ts';
import { ApiError, callQuery, textOf } from '../query-api.ts';
import type { AppService } from './model.ts';

/**
 * The name of a service's own role: who starts its tasks pulls, writes its log and reads its secrets by it, and no others. Roles are of the
 * account, so that those of two clusters have two names; neither part has an @, and IAM takes 64 characters.
 */
function roleName(cluster: string, service: string): string {
  const own = cluster.split('/').at(-1) ?? '';
  const name = `slipway-up-${own === 'default' ? service : `${service}@${own}`}`;
  return name.length <= 64
    ? name
    : `${name.slice(0, 47)}-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}
const policyName = 'secrets';
const managed = 'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy';

/** The ARNs of secrets of the file's services, by how it names them. @throws ApiError with which one there is not */
export async function secretArns(services: readonly AppService[]): Promise<ReadonlyMap<string, string>> {
  const names = new Set(
    services.flatMap(({ containers }) => containers.flatMap(({ secrets }) => Object.values(secrets))),
  );
  const found = new Map<string, string>();
  for (const name of names) {
    const { ARN } = await callJson<{ ARN: string }>('secretsmanager', 'DescribeSecret', { SecretId: name }).catch(
      (error: unknown) => {
        throw error instanceof ApiError && error.code === 'ResourceNotFoundException'
          ? new ApiError(error.code, `there is no secret ${name}: slipway secrets set ${name} makes it`)
          : error;
      },
    );
    found.set(name, ARN);
  }
  return found;
}

/** The ARN of the role that a service needs for its secrets; undefined for none. It is there only after {@link makeRole}. */
export const roleArn = (account: string, cluster: string, { name, containers }: AppService): string | undefined =>
  containers.some(({ secrets }) => Object.keys(secrets).length > 0)
    ? `arn:aws:iam::${account}:role/${roleName(cluster, name)}`
    : undefined;

/** Makes the role, or has it read these secrets from now on. */
export async function makeRole(cluster: string, service: AppService, arns: ReadonlyMap<string, string>): Promise<void> {
  const RoleName = roleName(cluster, service.name);
  await callQuery('iam', 'CreateRole', {
    RoleName,
    Description: `reads the secrets of the service ${service.name} in the cluster ${cluster}; made by slipway up`,
    AssumeRolePolicyDocument: JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'ecs-tasks.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    }),
  }).catch((error: unknown) => {
    if (!(error instanceof ApiError) || error.code !== 'EntityAlreadyExists') throw error;
  });
  await callQuery('iam', 'AttachRolePolicy', { RoleName, PolicyArn: managed });
  const Resource = [
    ...new Set(
      service.containers.flatMap(({ secrets }) => Object.values(secrets).flatMap((name) => arns.get(name) ?? [])),
    ),
  ];
  await callQuery('iam', 'PutRolePolicy', {
    RoleName,
    PolicyName: policyName,
    PolicyDocument: JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource }],
    }),
  });
}

/** Removes the role of a service, where there is one. */
export async function removeRole(cluster: string, service: string): Promise<void> {
  const RoleName = roleName(cluster, service);
  // A run that was cut may have made a part of it.
  for (const [action, more] of [
    ['DeleteRolePolicy', { PolicyName: policyName }],
    ['DetachRolePolicy', { PolicyArn: managed }],
    ['DeleteRole', {}],
  ] as const)
    await callQuery('iam', action, { RoleName, ...more }).catch((error: unknown) => {
      if (!(error instanceof ApiError) || !error.code.startsWith('NoSuchEntity')) throw error;
    });
}

/** The caller's account. */
export async function account(): Promise<string> {
  return textOf(await callQuery('sts', 'GetCallerIdentity'), 'Account') ?? '';
}
