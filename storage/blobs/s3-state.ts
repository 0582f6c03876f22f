import type { Staged } from './blob-store.ts';

/** Parts have at least 5 MiB but for the last, and there are at most 10,000 (S3 user guide, "Multipart upload limits"). */
const mebibyte = 1024 * 1024;
const smallParts = 2000;

/** 2,000 parts of 5 MiB and 8,000 of 8 MiB: 74,000 MiB at most, with small buffers for all but the largest blobs. */
export function partSize(part: number): number {
  return (part <= smallParts ? 5 : 8) * mebibyte;
}

/** Bytes in the first `parts` parts. */
export function bytesInParts(parts: number): number {
  return Math.min(parts, smallParts) * 5 * mebibyte + Math.max(0, parts - smallParts) * 8 * mebibyte;
}

/** Where the bytes of an upload lie; the caller keeps it between calls. */
export interface S3State {
  /** The generation: the object that the seal makes visible. */
  readonly generation?: string;
  /** The multipart upload to that object, once there are more bytes than a part holds. */
  readonly upload?: string;
  readonly etags: readonly string[];
  /** The object with the bytes after the last part; the final object itself while there are no parts. */
  readonly tail?: string;
  /** Objects of the state before, which nobody needs once this one has been recorded. */
  readonly spent: readonly string[];
}

export function readState(staged: Staged): S3State {
  const driver = staged.driver ?? {};
  const text = (name: string): string | undefined => {
    const value = driver[name];
    return typeof value === 'string' ? value : undefined;
  };
  const list = (name: string): readonly string[] => {
    const value = driver[name];
    return Array.isArray(value) ? (value as string[]) : [];
  };
  const [generation, upload, tail] = [text('generation'), text('upload'), text('tail')];
  return {
    ...(generation !== undefined && { generation }),
    ...(upload !== undefined && { upload }),
    ...(tail !== undefined && { tail }),
    etags: list('etags'),
    spent: list('spent'),
  };
}

export function writeState(id: string, size: number, state: S3State): Staged {
  return { id, size, driver: { ...state } };
}
