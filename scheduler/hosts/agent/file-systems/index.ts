/** File systems that tasks on several hosts share: folders of one folder that each of these hosts has. */
export { FileSystemError } from './errors.ts';
export { bindOptions, ensureFolders, ensureShareVolume } from './folders.ts';
export { isFolderOf, sharePoint, volumePoint } from './mounts.ts';
export { commandUser, isHeldToUser, refuseUser, userOf } from './users.ts';
