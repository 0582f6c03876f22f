import { hash, timingSafeEqual } from 'node:crypto';

import { AwsError, type Call, hostSecretHeader } from '@slipway/auth/contract';

import { invalidParameter } from '../../cluster/index.ts';
import type { InstanceRecord } from '../../state/index.ts';

const hashOf = (secret: string): string => hash('sha256', secret, 'base64url');

/** What nobody guesses: 128 bits take 22 characters of base64url. */
const shortest = 22;

/**
 * What the record of an instance that a caller registers keeps of the secret of its host: nothing for agents that know of none
 * (amazon-ecs-agent). An instance that was registered without one keeps the first that its host shows (an agent that was
 * upgraded), and from then on is nobody's without it.
 * @throws InvalidParameterException for a secret that could be guessed
 */
export function ownedBy({ hostSecret }: Call): Pick<InstanceRecord, 'secretHash'> {
  if (hostSecret === undefined) return {};
  if (hostSecret.length < shortest) {
    throw invalidParameter(`The header ${hostSecretHeader} must hold at least ${shortest} random characters.`);
  }
  return { secretHash: hashOf(hostSecret) };
}

/**
 * Why a caller may not act for an instance, or undefined: another principal registered it, or another host of the same one.
 * Instances whose agents show no secret are told apart by their principals alone.
 */
export function notOwner(instance: InstanceRecord, call: Call): string | undefined {
  if (instance.ownerArn !== call.principal.arn) return 'another principal registered it';
  if (instance.secretHash === undefined) return undefined;
  const said = Buffer.from(hashOf(call.hostSecret ?? ''));
  const kept = Buffer.from(instance.secretHash);
  return said.length === kept.length && timingSafeEqual(said, kept)
    ? undefined
    : 'another host registered it, with a secret of its own';
}

/**
 * Refuses every caller but the host that registered the instance.
 * @throws AccessDeniedException
 */
export function requireOwner(instance: InstanceRecord, call: Call): void {
  const why = notOwner(instance, call);
  if (why === undefined) return;
  throw new AwsError(
    'AccessDeniedException',
    `User: ${call.principal.arn} is not authorized to act for container instance ${instance.arn}: ${why}.`,
    { status: 403 },
  );
}
