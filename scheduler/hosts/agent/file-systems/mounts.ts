import type { Mount } from '../mountinfo.ts';

/** Where the whole share is mounted in the container that holds a task's file systems, and where each of these is. */
export const sharePoint = '/share';
export const volumePoint = (index: number): string => `/volumes/${index}`;

/**
 * Whether a mount is the folder of a share that it is meant to be. A path is followed when it is mounted, by the engine, and somebody who
 * writes to the file system may have put a symbolic link in it since it was looked at: what counts is what was mounted in the end.
 * @param folder below the share: `fs-0123456789abcdef0/data`
 */
export function isFolderOf(mounts: readonly Mount[], point: string, folder: string): boolean {
  const share = mounts.findLast((mount) => mount.point === sharePoint);
  const own = mounts.findLast((mount) => mount.point === point);
  if (share === undefined || own === undefined) return false;
  return own.device === share.device && own.root === `${share.root === '/' ? '' : share.root}/${folder}`;
}
