import { ImagesError } from './errors.ts';
import type { RepositoryName } from './names.ts';

/** Which upload is meant, and by whom. */
export interface UploadAddress {
  readonly account: string;
  readonly repository: RepositoryName;
  readonly id: string;
  /** Who began it: uploads of others do not exist for the caller. */
  readonly principal: string;
}

/** First byte and last byte (inclusive) of what is sent; `end` may be unknown. */
export interface AppendRange {
  readonly start: number;
  readonly end?: number;
}

export const uploadNotFound = (): ImagesError =>
  new ImagesError(
    'UploadNotFound',
    'This upload does not exist: it was never begun, has ended, or belongs to somebody else. Begin a new one.',
  );

/** The bytes do not belong where the upload ends. */
export const wrongRange = (size: number, reason: string): ImagesError =>
  new ImagesError('UploadRangeInvalid', `The upload has ${size} bytes: ${reason}`, { size });
