import { createHash } from 'node:crypto';

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

const serverCertificatePrefix = 'iam-';

/** Whether a certificate is one of IAM's that a listener was given: those of ACM's API have other ids. */
export const isServerCertificate = (id: string): boolean => id.startsWith(serverCertificatePrefix);

/** Under which id the records have a server certificate of IAM's, while listeners may have it; undefined for any other text. */
export function serverCertificateId({ account }: Place, arn: string): string | undefined {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'iam' || parsed.account !== account || !parsed.resource.startsWith('server-certificate/'))
    return undefined;
  return `${serverCertificatePrefix}${createHash('sha256').update(arn).digest('hex').slice(0, 32)}`;
}

/** The id of a certificate that a listener may name: of ACM's API, or of IAM. */
export const listenerCertificateId = (place: Place, arn: string): string | undefined =>
  certificateId(place, arn) ?? serverCertificateId(place, arn);
