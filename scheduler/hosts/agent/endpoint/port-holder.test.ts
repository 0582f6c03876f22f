import { createServer, type Server } from 'node:net';

import { freePort } from '@slipway/storage/testing';
import { expect, test } from 'vitest';

import { holderText, portHolder } from './port-holder.ts';

const listen = async (host: string, port: number): Promise<Server & AsyncDisposable> => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(port, host, done));
  return Object.assign(server, {
    [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
  });
};

test.skipIf(process.platform !== 'linux').each(['127.0.0.1', '127.0.0.2', '::1'])(
  'who listens on a port of %s is found by its process and command',
  async (host) => {
    const port = await freePort();
    {
      await using _ = await listen(host, port);
      const holder = await portHolder(port);
      expect(holder?.pid).toBe(process.pid);
      expect(holder?.command).toMatch(/\S/);
      expect(await holderText(port)).toBe(`process ${process.pid}, ${holder?.command}`);
    }
    expect(await portHolder(port)).toBeUndefined();
    expect(await holderText(port)).toMatch(/cannot be seen/);
  },
);
