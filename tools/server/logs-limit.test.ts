import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { logsLimit } from './logs-limit.ts';

test('logs take what is set, or no more than a tenth of the disk that they lie on', () => {
  const here = { data: tmpdir(), blobs: { type: 'filesystem' } } as const;
  const { blocks, bsize } = statfsSync(here.data);
  expect(logsLimit({ ...here, logsMaxBytes: 5 })).toBe(5);
  expect(logsLimit({ ...here, logsMaxBytes: undefined })).toBe(
    Math.min(10 * 2 ** 30, Math.floor((blocks * bsize) / 10)),
  );
  const elsewhere = { type: 's3', endpoint: '', bucket: '', region: '', accessKeyId: '', secretAccessKey: '' } as const;
  expect(logsLimit({ data: '/nowhere', blobs: elsewhere, logsMaxBytes: undefined })).toBe(10 * 2 ** 30);
});
