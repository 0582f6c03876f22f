import { definePartition, type OwnedRows } from '@slipway/storage/records';

const objects = definePartition('objects/<bucket>', 'one bucket, whose name is one for the whole installation');
const buckets = definePartition('buckets/<account>', 'which buckets an account has');
export const bucketPartition = objects.name;
export const accountPartition = buckets.name;

const number = (part: number): string => String(part).padStart(5, '0');

export const objectKeys = {
  bucket: 'bucket',
  objects: 'object/',
  object: (key: string): string => `object/${key}`,
  uploads: 'upload/',
  upload: (id: string): string => `upload/${id}`,
  /** The parts of an upload, which stay where they are when they become an object. */
  partsOf: (upload: string): string => `part/${upload}/`,
  part: (upload: string, part: number): string => `part/${upload}/${number(part)}`,
  /** Written with each part, so that who puts the parts together sees that none changed. */
  touched: (upload: string): string => `touched/${upload}`,
  /** Uploads whose parts are nobody's any more. */
  endings: 'ended/',
  ended: (upload: string): string => `ended/${upload}`,
  garbage: 'garbage/',
  garbageOf: (generation: string): string => `garbage/${generation}`,
} as const;

export const bucketKeys = { buckets: 'bucket/', bucket: (name: string): string => `bucket/${name}` } as const;

export const objectRows: readonly OwnedRows[] = [
  {
    partition: objects,
    owner: 'scheduler/objects/store',
    keys: [
      objectKeys.bucket,
      objectKeys.objects,
      objectKeys.uploads,
      'part/',
      'touched/',
      objectKeys.endings,
      objectKeys.garbage,
    ],
  },
  { partition: buckets, owner: 'scheduler/objects/store', keys: [bucketKeys.buckets] },
];
