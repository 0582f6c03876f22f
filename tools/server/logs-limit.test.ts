import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { logsLimit, metricsLimit } from './logs-limit.ts';

test('logs and metrics take what is set, or no more than a part of the disk that they lie on', () => {
  const here = { data: tmpdir(), blobs: { type: 'filesystem' } } as const;
  const { blocks, bsize } = statfsSync(here.data);
  expect(logsLimit({ ...here, logsMaxBytes: 5 })).toBe(5);
  expect(logsLimit({ ...here, logsMaxBytes: undefined })).toBe(
    Math.min(10 * 2 ** 30, Math.floor((blocks * bsize) / 10)),
  );
  expect(metricsLimit({ ...here, metricsMaxBytes: 5 })).toBe(5);
  expect(metricsLimit({ ...here, metricsMaxBytes: undefined })).toBe(
    Math.min(2 * 2 ** 30, Math.floor((blocks * bsize) / 20)),
  );
  const elsewhere = { type: 's3', endpoint: '', bucket: '', region: '', accessKeyId: '', secretAccessKey: '' } as const;
  expect(logsLimit({ data: '/nowhere', blobs: elsewhere, logsMaxBytes: undefined })).toBe(10 * 2 ** 30);
});
