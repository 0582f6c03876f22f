import { arnOf, parseArn } from '@slipway/auth/kit';

import { balancerArn, balancerPath, type Balancing, type NamedType, type Place } from '../records/index.ts';

import { validation } from './errors.ts';

export { balancerArn } from '../records/index.ts';

const arn = ({ region, account }: Place, resource: string): string =>
  arnOf({ service: 'elasticloadbalancing', region, account, resource });

export const groupArn = (place: Place, { name, id }: { readonly name: string; readonly id: string }): string =>
  arn(place, `targetgroup/${name}/${id}`);

/** The ARN of a listener, or of a rule of it; the load balancer is in it. */
export function listenerArn(
  place: Place,
  balancing: Balancing,
  listener: { readonly id: string; readonly loadBalancerId: string },
  ruleId?: string,
): string {
  const balancer = balancing.get('loadbalancer', listener.loadBalancerId);
  if (balancer === undefined) throw new Error(`the listener ${listener.id} has no load balancer`);
  const path = `${balancerPath(balancer)}/${listener.id}`;
  return arn(place, ruleId === undefined ? `listener/${path}` : `listener-rule/${path}/${ruleId}`);
}

/** How many parts each type's ARN has after its name. */
const lengths: Readonly<Record<NamedType, number>> = {
  loadbalancer: 3,
  targetgroup: 2,
  listener: 4,
  'listener-rule': 5,
};

/** What an ARN names here. */
export interface NamedByArn {
  readonly type: NamedType;
  /** The last part. */
  readonly id: string;
}

/**
 * Reads an ARN of the account's.
 * @returns undefined when it is one of ELB's that nothing here can have. @throws ValidationError when it is none of ELB's
 */
export function readArn(place: Place, text: string): NamedByArn | undefined {
  const { region, account, type, parts } = takeApart(text);
  if (region !== place.region || account !== place.account || parts.length !== lengths[type]) return undefined;
  return { type, id: parts.at(-1) as string };
}

/** The type of what an ARN names, wherever that is. @throws ValidationError when it is none of ELB's */
export const typeOf = (text: string): NamedType => takeApart(text).type;

function takeApart(text: string) {
  const parsed = parseArn(text);
  const [type = '', ...parts] = parsed?.resource.split('/') ?? [];
  if (parsed?.service !== 'elasticloadbalancing' || !Object.hasOwn(lengths, type))
    throw validation(`'${text.slice(0, 200)}' is not a valid ARN`);
  return { ...parsed, type: type as NamedType, parts };
}

/** The ARN that a record has; of one that is not there, undefined. */
export function arnOfRecord(place: Place, balancing: Balancing, { type, id }: NamedByArn): string | undefined {
  switch (type) {
    case 'loadbalancer': {
      const balancer = balancing.get('loadbalancer', id);
      return balancer && balancerArn(place, balancer);
    }
    case 'targetgroup': {
      const group = balancing.get('targetgroup', id);
      return group && groupArn(place, group);
    }
    case 'listener': {
      const listener = balancing.get('listener', id);
      return listener && listenerArn(place, balancing, listener);
    }
    case 'listener-rule': {
      const rule = balancing.get('listener-rule', id);
      const listener =
        rule === undefined
          ? balancing.all('listener').find(({ defaultRuleId }) => defaultRuleId === id)
          : balancing.get('listener', rule.listenerId);
      return listener && listenerArn(place, balancing, listener, id);
    }
  }
}

/** @throws ValidationError for a name that ELB would not take */
export function checkName(name: string, what: 'load balancer' | 'target group'): void {
  const named = what === 'load balancer' ? 'The load balancer name' : 'Target group name';
  if (name.length === 0) throw validation(`${named} cannot be empty`);
  if (name.length > 32) throw validation(`${named} '${name.slice(0, 100)}' cannot be longer than '32' characters`);
  if (!/^[a-zA-Z0-9-]+$/.test(name))
    throw validation(`${named} '${name}' can only contain characters that are alphanumeric characters or hyphens(-)`);
  if (name.startsWith('-') || name.endsWith('-'))
    throw validation(`${named} '${name}' cannot begin or end with a hyphen(-)`);
  if (what === 'load balancer' && /^internal-/i.test(name))
    throw validation(`${named} '${name}' cannot begin with 'internal-'`);
}
