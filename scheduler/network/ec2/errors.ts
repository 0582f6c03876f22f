import { AwsError } from '@slipway/auth/contract';

/** Errors in EC2's words (EC2 API reference, "Error codes for the Amazon EC2 API"). */

export const invalidValue = (value: string | number, parameter: string, why: string): AwsError =>
  new AwsError(
    'InvalidParameterValue',
    `Value (${String(value).slice(0, 200)}) for parameter ${parameter} is invalid. ${why}`,
  );

export const invalidCombination = (message: string): AwsError => new AwsError('InvalidParameterCombination', message);

export const missingParameter = (name: string): AwsError =>
  new AwsError('MissingParameter', `The request must contain the parameter ${name}`);

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  new AwsError('UnsupportedOperation', `${what} is not supported by this installation. ${instead}`);

/** Something that is in use must stay. */
export const dependency = (message: string): AwsError => new AwsError('DependencyViolation', message);

/** The caller may, and only wanted to know that. */
export const dryRun = (): AwsError =>
  new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', { status: 412 });
