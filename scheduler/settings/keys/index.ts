/** Keys of KMS, what is encrypted with them, and the API. */
export { createKms, kmsSchemas } from './create-kms.ts';
export { keyRows, looksUntilGone } from './records.ts';
export { isOfKey, ServiceKeys } from './service-keys.ts';
export { Keys } from './store.ts';
