import { EventEmitter } from 'node:events';
import { expect, test, vi } from 'vitest';

import { commandProvider } from './command.ts';

// As Node does without file descriptors left: no process, no streams, and an error that ends the server where nobody listens.
vi.mock('node:child_process', () => ({
  spawn: () => {
    const child = new EventEmitter();
    process.nextTick(() => child.emit('error', new Error('spawn EMFILE')));
    return child;
  },
}));

test('a program that cannot be started for want of file descriptors is a failure like any other', async () => {
  const provider = commandProvider({ name: 'lab', command: ['/bin/true'], env: {} });
  await expect(provider.list('me', new AbortController().signal)).rejects.toThrow(/cannot be run: spawn EMFILE/);
});
