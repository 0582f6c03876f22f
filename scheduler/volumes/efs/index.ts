/** File systems that tasks on several hosts share, and the API of EFS. */
export { createEfs } from './create-efs.ts';
export { efsRows } from './keys.ts';
export type { EfsOptions } from './options.ts';
export type { AccessPointRecord, FileSystemRecord, MountTargetRecord, PosixUserRecord } from './records.ts';
export { FileSystems } from './store.ts';
