import { AwsError } from '@slipway/auth/contract';

/** Errors in the words of Secrets Manager (API reference, and what its clients are known to meet). */

export const invalidParameter = (message: string): AwsError => new AwsError('InvalidParameterException', message);
export const invalidRequest = (message: string): AwsError => new AwsError('InvalidRequestException', message);
export const notFound = (message = "Secrets Manager can't find the specified secret."): AwsError =>
  new AwsError('ResourceNotFoundException', message);
export const exists = (message: string): AwsError => new AwsError('ResourceExistsException', message);
export const limitExceeded = (message: string): AwsError => new AwsError('LimitExceededException', message);

export const markedForDeletion = (): AwsError =>
  invalidRequest("You can't perform this operation on the secret because it was marked for deletion.");

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  invalidRequest(`${what} is not supported by this installation. ${instead}`);
