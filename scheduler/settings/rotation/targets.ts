import { AwsError } from '@slipway/auth/contract';
import { parseArn } from '@slipway/auth/kit';
import { type Outbound, OutboundError, webhookOf } from '@slipway/auth/outbound';

import type { EcsPorts } from '../../cluster/index.ts';
import { runAccess } from '../../hooks/index.ts';
import { checkHookDefinition, delegateOf } from '../../services/index.ts';
import type { TaskDefinitionRecord } from '../../state/index.ts';
import { activeDefinition, bodyOf } from '../../tasks/index.ts';
import type { RotationTargets } from '../secrets/index.ts';

const instead =
  'name a webhook (https://…, or arn:aws:slipway:<region>:<account>:webhook/https://… for programs that take nothing but ARNs), or the ARN of a task definition whose one essential container exits with 0.';

const isTask = (target: string): boolean => {
  const arn = parseArn(target);
  return arn?.service === 'ecs' && arn.resource.startsWith('task-definition/');
};

/** @throws AwsError for tasks that cannot be run without saying where */
export function checkRotationDefinition(definition: TaskDefinitionRecord): void {
  checkHookDefinition(definition);
  if (bodyOf(definition).networkMode === 'awsvpc')
    throw new AwsError(
      'InvalidParameterException',
      `The task definition ${definition.arn} has the network mode awsvpc, and a rotation names no subnets: use bridge, host or none.`,
    );
}

/** What rotations may be carried out by. */
export function rotationTargets(ports: EcsPorts & { readonly checkUrl: Outbound['check'] }): RotationTargets {
  return {
    access: async ({ account }, target, cluster) => {
      if (!isTask(target)) return [];
      const definition = await activeDefinition(ports, account, target).catch((error: unknown) => {
        if (error instanceof AwsError) return undefined;
        throw error;
      });
      return definition === undefined
        ? [{ action: 'ecs:RunTask', resources: [{ arn: target }] }]
        : runAccess(ports, { account, cluster }, definition);
    },
    check: async ({ account, principal }, target) => {
      const url = webhookOf(target);
      if (url !== undefined) {
        const refused = refusalOf(() => ports.checkUrl(url));
        if (refused !== undefined)
          throw new AwsError('InvalidParameterException', `${refused} To rotate a secret, ${instead}`);
      } else if (isTask(target)) {
        checkRotationDefinition(await activeDefinition(ports, account, target));
      } else {
        const what =
          parseArn(target)?.service === 'lambda' ? 'There are no Lambda functions' : `${target} rotates nothing`;
        throw new AwsError('InvalidRequestException', `${what} here: ${instead}`);
      }
      return delegateOf(principal);
    },
  };
}

/** Why an address is not called; undefined when it is. */
function refusalOf(check: () => URL): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    return error.message;
  }
}
