import { AwsError } from '@slipway/auth/contract';

/** Errors in the words of EFS, whose members are `ErrorCode` and `Message`. */
export function refuse(code: string, message: string, members: Readonly<Record<string, unknown>> = {}): AwsError {
  return new AwsError(code, message, { members: { ErrorCode: code, Message: message, ...members } });
}

export const badRequest = (message: string): AwsError => refuse('BadRequest', message);

/** Something of EFS that this installation does not do. Refused, so that nobody believes it took effect. */
export const notDone = (what: string, instead: string): AwsError =>
  badRequest(`${what} is not supported by this installation. ${instead}`);

export const noFileSystem = (id: string): AwsError =>
  refuse('FileSystemNotFound', `File system '${id}' does not exist.`);

export const noMountTarget = (id: string): AwsError =>
  refuse('MountTargetNotFound', `Mount target '${id}' does not exist.`);

export const noAccessPoint = (id: string): AwsError =>
  refuse('AccessPointNotFound', `Access point '${id}' does not exist.`);
