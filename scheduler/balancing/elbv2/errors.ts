import { AwsError } from '@slipway/auth/contract';

import type { NamedType } from '../records/index.ts';

/** Errors in ELB's words (Elastic Load Balancing API reference, version 2015-12-01). */

export const validation = (message: string): AwsError => new AwsError('ValidationError', message);

export const invalidConfiguration = (message: string): AwsError => new AwsError('InvalidConfigurationRequest', message);

export const notPermitted = (message: string): AwsError => new AwsError('OperationNotPermitted', message);

export const resourceInUse = (message: string): AwsError => new AwsError('ResourceInUse', message);

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  invalidConfiguration(`${what} is not supported by this installation. ${instead}`);

const missing: Readonly<Record<NamedType, readonly [code: string, one: string, some: string]>> = {
  loadbalancer: [
    'LoadBalancerNotFound',
    'The specified load balancer does not exist.',
    'One or more load balancers not found',
  ],
  targetgroup: ['TargetGroupNotFound', 'One or more target groups not found', 'One or more target groups not found'],
  listener: ['ListenerNotFound', 'One or more listeners not found', 'One or more listeners not found'],
  'listener-rule': ['RuleNotFound', 'One or more rules not found', 'One or more rules not found'],
};

/** That something is not there. @param asked one alone, or several of which it was one */
export function notFound(type: NamedType, asked: 'one' | 'some' = 'one'): AwsError {
  const [code, one, some] = missing[type];
  return new AwsError(code, asked === 'one' ? one : some);
}

/** How many of something there may be, and that they are too many. */
export const tooMany = (code: string, what: string, most: number): AwsError =>
  new AwsError(code, `The maximum number of ${what} has been reached: ${most}.`);
