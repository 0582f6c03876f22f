import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Spool } from './spool.ts';
import { Transfer } from './transfer.ts';

test('a reader whose connection is gone is done, though nobody ever says what became of its bytes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-transfer-'));
  const transfer = new Transfer(await Spool.open(folder), {
    size: 4,
    source: Readable.from([Buffer.from('abcd')]),
    store: async (bytes) => {
      let size = 0;
      for await (const part of bytes) size += part.byteLength;
      expect(size).toBe(4);
    },
    reopen: () => Promise.reject(new Error('the bytes are still here')),
  });
  const written = Promise.withResolvers<void>();
  const destination = new Writable({ write: () => written.resolve() });
  const reading = transfer.pipe(destination);
  await Promise.all([transfer.stored, written.promise]);
  destination.destroy();
  await expect(reading).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  rmSync(folder, { recursive: true });
});
