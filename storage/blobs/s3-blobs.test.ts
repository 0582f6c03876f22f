import { describe, expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { openS3Blobs } from './index.ts';
import { describeBlobStore } from './testing/contract.ts';
import { findS3Server, implementations, S3Server } from './testing/s3-servers.ts';

for (const implementation of Object.values(implementations)) {
  const program = findS3Server(implementation);
  if (program === undefined && !process.env['CI']) {
    test.skip(`the s3 driver on ${implementation.name} (not on this machine: go install ${implementation.module})`, () => {});
    continue;
  }
  const opened = async () => {
    const server = await S3Server.start(program!, implementation);
    const open = () => openS3Blobs(server.connection, systemClock, Math.random);
    const store = await open();
    const dispose = async () => {
      await store.close();
      await server.dispose();
    };
    return { store, another: open, dispose };
  };
  describeBlobStore(`s3 on ${implementation.name}`, opened);

  describe(`certification of ${implementation.name}`, () => {
    test('every check passes', async () => {
      const { store, dispose } = await opened();
      expect(store.certificate.checks.filter(({ passed }) => !passed)).toEqual([]);
      expect(store.certificate.checks.length).toBeGreaterThanOrEqual(8);
      await dispose();
    });
  });
}
