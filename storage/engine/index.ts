export { type EngineReport, openStorage, type Storage, type StorageConfig, StorageUnusable } from './open-storage.ts';
