import { AwsError } from '@slipway/auth/contract';

/** Errors in the words of Parameter Store (API reference, and what its clients are known to meet). */

export const validation = (message: string): AwsError => new AwsError('ValidationException', message);

export const notFound = (name: string): AwsError => new AwsError('ParameterNotFound', `Parameter ${name} not found.`);

export const versionNotFound = (name: string, version: string | number): AwsError =>
  new AwsError(
    'ParameterVersionNotFound',
    `Systems Manager could not find version ${version} of ${name}. Verify the version and try again.`,
  );

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  validation(`${what} is not supported by this installation. ${instead}`);
