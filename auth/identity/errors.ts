import { AwsError } from '../contract/index.ts';
import {
  checkTrustActions,
  MalformedPolicy,
  parsePolicy,
  type PolicyDocument,
  type PolicyKind,
} from '../policy/index.ts';

/** The errors of IAM and STS, by their names and statuses in the service models. */
export const noSuchEntity = (message: string): AwsError =>
  new AwsError('NoSuchEntityException', message, { status: 404 });
export const alreadyExists = (message: string): AwsError =>
  new AwsError('EntityAlreadyExistsException', message, { status: 409 });
export const deleteConflict = (message: string): AwsError =>
  new AwsError('DeleteConflictException', message, { status: 409 });
export const limitExceeded = (message: string): AwsError =>
  new AwsError('LimitExceededException', message, { status: 409 });
export const unmodifiable = (message: string): AwsError => new AwsError('UnmodifiableEntityException', message);
export const invalidInput = (message: string): AwsError => new AwsError('InvalidInputException', message);
export const validationError = (message: string): AwsError => new AwsError('ValidationError', message);
export const malformedPolicy = (message: string): AwsError => new AwsError('MalformedPolicyDocumentException', message);
export const accessDenied = (message: string): AwsError => new AwsError('AccessDenied', message, { status: 403 });

/** Parses a policy that an API call puts, a trust policy's actions included. @throws AwsError `MalformedPolicyDocumentException` */
export function readPolicy(text: string, kind: PolicyKind): PolicyDocument {
  try {
    const document = parsePolicy(text, kind);
    if (kind === 'trust') checkTrustActions(document);
    return document;
  } catch (error) {
    if (!(error instanceof MalformedPolicy)) throw error;
    throw new AwsError('MalformedPolicyDocumentException', error.message, { cause: error });
  }
}
