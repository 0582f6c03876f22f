import { GatewayError } from '../contract/index.ts';

/**
 * A call of a service that does not exist here. Its signature is not checked: told that it is wrong, people would look for a fault
 * in their credentials.
 * @param name the signing name, or the target's prefix
 */
export const notServed = (name: string, served: readonly string[]): GatewayError =>
  new GatewayError(
    'not-found',
    `The service ${name.slice(0, 64)} is not served here. This endpoint serves ${served.join(', ')}; give other services an endpoint of their own.`,
  );

/** Signing names of the services that word their errors as EC2 does. */
export const speaksEc2 = (name: string): boolean => name === 'ec2';
