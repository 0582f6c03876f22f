import { AwsError } from '@slipway/auth/contract';

/** Errors in ACM's words (ACM API reference; AWS knowledge center, "acm-import-troubleshooting"). */

export const validation = (message: string): AwsError => new AwsError('ValidationException', message);

export const notFound = (arn: string): AwsError =>
  new AwsError('ResourceNotFoundException', `Could not find certificate ${arn.slice(0, 200)}.`);

export const invalidArn = (arn: string): AwsError =>
  new AwsError('InvalidArnException', `'${arn.slice(0, 200)}' is not the ARN of a certificate.`);

export const inUse = (arn: string, account: string): AwsError =>
  new AwsError(
    'ResourceInUseException',
    `Certificate ${arn} in account ${account} is in use. Remove it from its listeners first; DescribeCertificate names their load balancers.`,
  );

/** Of a certificate that is not there yet. */
export const inProgress = (arn: string): AwsError =>
  new AwsError(
    'RequestInProgressException',
    `The certificate request for ${arn.slice(0, 200)} is in process and the certificate has not yet been issued.`,
  );

export const invalidParameter = (message: string): AwsError => new AwsError('InvalidParameterException', message);

export const limitExceeded = (message: string): AwsError => new AwsError('LimitExceededException', message);

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): AwsError =>
  validation(`${what} is not supported by this installation. ${instead}`);
