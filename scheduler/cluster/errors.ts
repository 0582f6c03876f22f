import { AwsError } from '@slipway/auth/contract';

/** A parameter's value is not acceptable; the message says which and what would be. */
export const invalidParameter = (message: string): AwsError => new AwsError('InvalidParameterException', message);

/** The request as a whole cannot be honoured (ECS uses it for task definitions and identifiers it cannot resolve). */
export const clientError = (message: string): AwsError => new AwsError('ClientException', message);

export const clusterNotFound = (): AwsError => new AwsError('ClusterNotFoundException', 'Cluster not found.');

export const serviceNotFound = (): AwsError => new AwsError('ServiceNotFoundException', 'Service not found.');

export const serviceNotActive = (): AwsError => new AwsError('ServiceNotActiveException', 'Service was not ACTIVE.');

/** Something this installation does not do. Refused, so that nobody believes it took effect. */
export const notSupported = (what: string, instead: string): AwsError =>
  invalidParameter(`${what} is not supported by this installation. ${instead}`);
