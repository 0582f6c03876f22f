import { type AddressInfo, createServer, type Server } from 'node:net';

import { expect, test } from 'vitest';

import { holderText, portHolder } from './port-holder.ts';

const listen = async (host: string): Promise<Server & AsyncDisposable> => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, host, done));
  return Object.assign(server, {
    [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
  });
};

test.skipIf(process.platform !== 'linux').each(['127.0.0.1', '127.0.0.2', '::1'])(
  'who listens on a port of %s is found by its process and command',
  async (host) => {
    let port: number;
    {
      await using server = await listen(host);
      ({ port } = server.address() as AddressInfo);
      const holder = await portHolder(port);
      expect(holder?.pid).toBe(process.pid);
      expect(holder?.command).toMatch(/\S/);
      expect(await holderText(port)).toBe(`process ${process.pid}, ${holder?.command}`);
    }
    expect(await portHolder(port)).toBeUndefined();
    expect(await holderText(port)).toMatch(/cannot be seen/);
  },
);
