import { OutboundError, webhookOf } from '@slipway/auth/outbound';

import { invalid } from '../../metrics/index.ts';
import type { AlarmConfiguration } from '../store/index.ts';
import type { Scene } from './operation.ts';

interface Actions {
  readonly OKActions?: readonly string[] | undefined;
  readonly AlarmActions?: readonly string[] | undefined;
  readonly InsufficientDataActions?: readonly string[] | undefined;
}

const instead =
  'Name a webhook, arn:aws:slipway:<region>:<account>:webhook/https://…, which is told what CloudWatch would publish.';

/** What AWS has actions for, by the service in their ARNs. */
const refusals: readonly (readonly [beginning: RegExp, what: string])[] = [
  [/^arn:[^:]*:sns:/, `SNS topics do not exist here. ${instead}`],
  [/^arn:[^:]*:lambda:/, `Lambda functions are not run here. ${instead}`],
  [
    /^arn:[^:]*:(?:autoscaling|application-autoscaling):/,
    `Of scaling policies only those of ECS services of this account can be named. ${instead}`,
  ],
  [
    /^arn:[^:]*:(?:automate|swf|ssm|ssm-incidents|aiops):/,
    `Actions of EC2 and Systems Manager do nothing here. ${instead}`,
  ],
];

/**
 * The actions of a request, each of which somebody acts on.
 * @throws InvalidParameterValueException, which says what may be named
 */
export function actionsOf(input: Actions, { api, account }: Scene): AlarmConfiguration['actions'] {
  const checked = (actions: readonly string[] | undefined): readonly string[] => {
    for (const action of actions ?? []) check(action, api.acts(action, account), api.checkUrl);
    return [...new Set(actions)];
  };
  return {
    OK: checked(input.OKActions),
    ALARM: checked(input.AlarmActions),
    INSUFFICIENT_DATA: checked(input.InsufficientDataActions),
  };
}

function check(action: string, known: true | string | undefined, checkUrl: (url: string) => unknown): void {
  if (known === true) return;
  const url = webhookOf(action);
  if (url !== undefined && known === undefined) {
    try {
      checkUrl(url);
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      throw invalid(`Invalid action '${action.slice(0, 200)}'. ${error.message}`);
    }
    return;
  }
  const why =
    known ??
    refusals.find(([beginning]) => beginning.test(action))?.[1] ??
    `It is nothing that can be acted on here. ${instead}`;
  throw invalid(`Invalid action '${action.slice(0, 200)}'. ${why}`);
}
