import { invalid } from '../../metrics/index.ts';
import { webhookOf } from '../actions/index.ts';
import type { AlarmConfiguration } from '../store/index.ts';
import type { Scene } from './operation.ts';

interface Actions {
  readonly OKActions?: readonly string[] | undefined;
  readonly AlarmActions?: readonly string[] | undefined;
  readonly InsufficientDataActions?: readonly string[] | undefined;
}

const instead =
  'Name a webhook, https://… or arn:aws:slipway:<region>:<account>:webhook/https://…, which is told what CloudWatch would publish.';

/** What AWS has actions for, by the service in their ARNs. */
const refusals: readonly (readonly [beginning: RegExp, what: string])[] = [
  [/^arn:[^:]*:sns:/, `SNS topics do not exist here. ${instead}`],
  [/^arn:[^:]*:lambda:/, `Lambda functions are not run here. ${instead}`],
  [/^arn:[^:]*:(?:autoscaling|application-autoscaling):/, `Scaling policies cannot be acted on yet. ${instead}`],
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
    for (const action of actions ?? []) check(action, api.acts(action, account));
    return [...new Set(actions)];
  };
  return {
    OK: checked(input.OKActions),
    ALARM: checked(input.AlarmActions),
    INSUFFICIENT_DATA: checked(input.InsufficientDataActions),
  };
}

function check(action: string, known: true | string | undefined): void {
  if (known === true) return;
  const url = webhookOf(action);
  if (url !== undefined && known === undefined) {
    if (URL.parse(url)?.protocol !== 'https:')
      throw invalid(`The webhook '${action.slice(0, 200)}' is no address that begins with https://.`);
    return;
  }
  const why =
    known ??
    refusals.find(([beginning]) => beginning.test(action))?.[1] ??
    `It is nothing that can be acted on here. ${instead}`;
  throw invalid(`Invalid action '${action.slice(0, 200)}'. ${why}`);
}
