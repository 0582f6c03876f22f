import { AwsError } from '@slipway/auth/contract';

/** Errors in the words of the classic API of ELB (Elastic Load Balancing API reference, version 2012-06-01). */

export const validation = (message: string): AwsError => new AwsError('ValidationError', message);

export const invalidConfiguration = (message: string): AwsError => new AwsError('InvalidConfigurationRequest', message);

export const notFound = (name: string): AwsError =>
  new AwsError('LoadBalancerNotFound', `There is no ACTIVE Load Balancer named '${name.slice(0, 100)}'`);

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  invalidConfiguration(`${what} is not supported by this installation. ${instead}`);
