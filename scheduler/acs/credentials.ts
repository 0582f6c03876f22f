import { createHmac } from 'node:crypto';

import type { AgentControlOptions } from './context.ts';
import type { AcsCredentials } from './messages.ts';

/**
 * Credentials of a task's role, with an id that is the same for the life of the task on every server: containers keep it
 * in their environment. The id is an HMAC, so it says nothing about other tasks' ids (and is the only secret there is).
 * @returns undefined when this server hands out no credentials
 * @throws what the port throws
 */
export async function issueCredentials(
  options: AgentControlOptions,
  taskArn: string,
  roleArn: string,
  roleType: AcsCredentials['roleType'],
): Promise<AcsCredentials | undefined> {
  const credentials = await options.taskCredentials?.(roleArn, taskArn);
  if (credentials === undefined) return undefined;
  const hex = createHmac('sha256', options.credentialIdKey).update(`${roleType}\n${taskArn}`).digest('hex');
  return {
    credentialsId: hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    roleArn,
    roleType,
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    sessionToken: credentials.sessionToken,
    expiration: new Date(credentials.expiresAt).toISOString(),
  };
}
