import { describe, expect, test } from 'vitest';
import { systemClock } from '../clock/index.ts';
import { openS3Blobs } from './s3-blobs.ts';
import { describeBlobStore } from './testing/contract.ts';
import { findS3Server, implementations, s3Missing, S3Server } from './testing/s3-servers.ts';

describe.each(Object.values(implementations))('$name', (implementation) => {
  const program = findS3Server(implementation);
  const reason = s3Missing(program, implementation);
  // Under CI the start of the server fails instead.
  const missing = reason === undefined || process.env['CI'] ? undefined : ` (${reason})`;
  const opened = async () => {
    const server = await S3Server.start(program, implementation);
    const open = () => openS3Blobs(server.connection, systemClock, Math.random);
    const store = await open();
    const dispose = async () => {
      await store.close();
      await server.dispose();
    };
    return { store, another: open, dispose };
  };
  describeBlobStore(`s3 on ${implementation.name}`, opened, missing);

  test.skipIf(missing !== undefined)('passes every check of the certification', async () => {
    const { store, dispose } = await opened();
    expect(store.certificate.checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(store.certificate.checks.length).toBeGreaterThanOrEqual(8);
    await dispose();
  });
});
