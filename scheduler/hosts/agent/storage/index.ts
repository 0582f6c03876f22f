export { noStorage, type TaskStoragePort } from './port.ts';
export { StorageWatch } from './storage-watch.ts';
export { TaskStorage } from './task-storage.ts';
