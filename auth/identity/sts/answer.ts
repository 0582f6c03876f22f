import type { AssumedRoleUser, Credentials } from '@aws-sdk/client-sts';
import { sessionArn } from '../arns.ts';
import type { RoleEntity } from '../entities.ts';
import type { TemporaryCredentials } from '../sessions.ts';

export function showCredentials(credentials: TemporaryCredentials): Credentials {
  return {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: credentials.expiration,
  };
}

export function showAssumedRole(account: string, role: RoleEntity, session: string): AssumedRoleUser {
  return { AssumedRoleId: `${role.id}:${session}`, Arn: sessionArn(account, role.name, session) };
}

export const showPacked = (packed: number | undefined): { PackedPolicySize?: number } =>
  packed === undefined ? {} : { PackedPolicySize: packed };
