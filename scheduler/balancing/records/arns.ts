import { arnOf, parseArn } from '@slipway/auth/kit';

import type { BalancerType } from './records.ts';

/** Where ARNs are of. */
export interface Place {
  readonly region: string;
  readonly account: string;
}

const short: Readonly<Record<BalancerType, string>> = { application: 'app', network: 'net' };

/** How ARNs of listeners and rules name their load balancer: `app/NAME/ID`. */
export const balancerPath = ({ type, name, id }: { type: BalancerType; name: string; id: string }): string =>
  `${short[type]}/${name}/${id}`;

export const balancerArn = (
  { region, account }: Place,
  balancer: { readonly type: BalancerType; readonly name: string; readonly id: string },
): string =>
  arnOf({ service: 'elasticloadbalancing', region, account, resource: `loadbalancer/${balancerPath(balancer)}` });

export const classicArn = ({ region, account }: Place, name: string): string =>
  arnOf({ service: 'elasticloadbalancing', region, account, resource: `loadbalancer/${name}` });

export const certificateArn = ({ region, account }: Place, id: string): string =>
  arnOf({ service: 'acm', region, account, resource: `certificate/${id}` });

/** The id that an ARN of ACM's has for a certificate of the account's; undefined for any other text. */
export function certificateId({ region, account }: Place, arn: string): string | undefined {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'acm' || parsed.region !== region || parsed.account !== account) return undefined;
  return /^certificate\/([0-9a-f-]{36})$/.exec(parsed.resource)?.[1];
}
