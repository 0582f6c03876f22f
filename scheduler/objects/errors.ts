import { AwsError } from '@slipway/auth/contract';

/** An error in S3's words (S3 API reference, "Error responses"). */
export const refusal = (status: number, code: string, message: string): AwsError =>
  new AwsError(code, message, { status });

export const noSuchBucket = (): AwsError => refusal(404, 'NoSuchBucket', 'The specified bucket does not exist');
export const noSuchKey = (): AwsError => refusal(404, 'NoSuchKey', 'The specified key does not exist.');
export const noSuchUpload = (): AwsError =>
  refusal(
    404,
    'NoSuchUpload',
    'The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.',
  );
export const accessDenied = (): AwsError => refusal(403, 'AccessDenied', 'Access Denied');
export const invalidArgument = (message: string): AwsError => refusal(400, 'InvalidArgument', message);
export const invalidRequest = (message: string): AwsError => refusal(400, 'InvalidRequest', message);
export const malformedXml = (): AwsError =>
  refusal(
    400,
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  );
export const preconditionFailed = (): AwsError =>
  refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
/** What is not served, and what to do instead. */
export const notServed = (what: string, instead: string): AwsError =>
  refusal(501, 'NotImplemented', `${what} is not served here: ${instead}`);
