import { arnOf, parseArn } from '@slipway/auth/kit';

import { invalid } from './errors.ts';
import type { Scene } from './operation.ts';

/**
 * ARNs of logs (service authorization reference, "CloudWatch Logs"). What policies are asked about ends in `:log-stream:`, with the name
 * of a stream where there is one: that is what `…:log-group:web:*` matches, the form of every action but those on tags.
 */
export const streamArn = (scene: Pick<Scene, 'region' | 'account'>, group: string, stream = ''): string =>
  `${groupArn(scene, group)}:log-stream:${stream}`;

/** The ARN that tags are put on, and that `logGroupArn` and identifiers are. */
export const groupArn = ({ region, account }: Pick<Scene, 'region' | 'account'>, group: string): string =>
  arnOf({ service: 'logs', region, account, resource: `log-group:${group}` });

/** The name of a group that is given by its ARN (as `logGroupArn` has it, without `:*`); undefined when it is none of this account and region. */
export function groupOfArn({ region, account }: Pick<Scene, 'region' | 'account'>, arn: string): string | undefined {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'logs' || parsed.region !== region || parsed.account !== account) return undefined;
  return /^log-group:([^:*]+)$/.exec(parsed.resource)?.[1];
}

/** The name of a group that is given by its name or its ARN; one that cannot exist for an ARN of something else. */
export const groupOfIdentifier = (scene: Pick<Scene, 'region' | 'account'>, identifier: string): string =>
  identifier.startsWith('arn:') ? (groupOfArn(scene, identifier) ?? identifier) : identifier;

/** @throws InvalidParameterException unless a group is given by its name or by an identifier */
export function oneGroup(
  scene: Scene,
  given: { readonly logGroupName?: string | undefined; readonly logGroupIdentifier?: string | undefined },
): string {
  const { logGroupName, logGroupIdentifier } = given;
  if ((logGroupName === undefined) === (logGroupIdentifier === undefined))
    throw invalid('Exactly one of logGroupName and logGroupIdentifier must be specified.');
  return logGroupName ?? groupOfIdentifier(scene, logGroupIdentifier as string);
}

/** As {@link oneGroup}, for access: whatever was given is asked for. */
export const groupAsSent = (
  scene: Pick<Scene, 'region' | 'account'>,
  given: { readonly logGroupName?: string | undefined; readonly logGroupIdentifier?: string | undefined },
): string => given.logGroupName ?? groupOfIdentifier(scene, given.logGroupIdentifier ?? '');
