import { refusal } from './errors.ts';

/** Buckets have no account and no region in their ARN. */
export const bucketArn = (bucket: string): string => `arn:aws:s3:::${bucket}`;
export const objectArn = (bucket: string, key: string): string => `arn:aws:s3:::${bucket}/${key}`;

/** S3 user guide, "General purpose bucket naming rules". */
export const isBucketName = (name: string): boolean =>
  /^(?=.{3,63}$)[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9]))*[a-z0-9]$/.test(name) &&
  !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
  !/^(?:xn--|sthree-|amzn-s3-demo-)|(?:-s3alias|--ol-s3|--x-s3|--table-s3)$/.test(name);

const mostBytes = 1024;

/** @throws KeyTooLongError, InvalidURI */
export function checkKey(key: string): void {
  if (key.includes('\0') || !key.isWellFormed())
    throw refusal(400, 'InvalidURI', "Couldn't parse the specified URI: keys are UTF-8, and hold no NUL.");
  if (Buffer.byteLength(key) > mostBytes) throw refusal(400, 'KeyTooLongError', 'Your key is too long');
}
