import type { Json } from '@slipway/storage/records';

/** A record as the store takes it. Records are JSON by construction; TypeScript cannot see that of an interface. */
export const toJson = (record: object): Json => record as Json;
