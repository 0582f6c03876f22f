/** Where a change of an alarm's state can go. */
const webhookArn = /^arn:[^:]*:slipway:[^:]*:\d*:webhook\/(https:\/\/.+)$/;

/**
 * The address of an action that is a webhook: `https://…`, or `arn:aws:slipway:<region>:<account>:webhook/https://…` for programs that take
 * nothing but ARNs (Terraform). Undefined for anything else.
 */
export function webhookOf(action: string): string | undefined {
  if (action.startsWith('https://')) return action;
  return webhookArn.exec(action)?.[1];
}
