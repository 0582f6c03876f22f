import { AwsError } from '@slipway/auth/contract';

/** Errors in the words of KMS (API reference, and what its clients are known to meet). */

export const validation = (message: string): AwsError => new AwsError('ValidationException', message);
export const notFound = (message: string): AwsError => new AwsError('NotFoundException', message);
export const noKey = (arn: string): AwsError => notFound(`Key '${arn}' does not exist`);
export const disabled = (arn: string): AwsError => new AwsError('DisabledException', `${arn} is disabled.`);
export const invalidState = (message: string): AwsError => new AwsError('KMSInvalidStateException', message);
export const limitExceeded = (message: string): AwsError => new AwsError('LimitExceededException', message);
export const alreadyExists = (arn: string): AwsError =>
  new AwsError('AlreadyExistsException', `An alias with the name ${arn} already exists`);
export const malformedPolicy = (message: string): AwsError => new AwsError('MalformedPolicyDocumentException', message);

/** Whatever it is that does not open: nobody learns from the error which of the reasons it was. */
export const invalidCiphertext = (): AwsError =>
  new AwsError(
    'InvalidCiphertextException',
    'The ciphertext is not one of this installation, was changed, or was encrypted with another encryption context.',
  );

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  new AwsError('UnsupportedOperationException', `${what} is not supported by this installation. ${instead}`);
