import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { headPatience } from './patience.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class Connection extends EventEmitter {
  destroyed = false;
  readonly alpnProtocol: string;
  constructor(alpnProtocol = 'http/1.1') {
    super();
    this.alpnProtocol = alpnProtocol;
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

/** A server whose connections are played, and the patience with them: a second. */
function open(isSecure: boolean) {
  const server = new EventEmitter();
  const patience = headPatience(server as unknown as Server, { milliseconds: 1000, isSecure });
  const raw = new Connection();
  server.emit('connection', raw);
  return { server, patience, raw };
}

test('a connection without the head of a request is closed in time, and one with it is not', () => {
  const { patience, raw } = open(false);
  patience.came(raw as unknown as Socket);
  vi.advanceTimersByTime(5000);
  expect(raw.destroyed).toBe(false);
  patience.wait(raw as unknown as Socket);
  vi.advanceTimersByTime(1001);
  expect(raw.destroyed).toBe(true);
});

test('a connection keeps nothing of the requests that it has carried, and its timer goes with it', () => {
  const { patience, raw } = open(false);
  for (let i = 0; i < 100; i++) {
    patience.came(raw as unknown as Socket);
    patience.wait(raw as unknown as Socket);
  }
  expect([raw.listenerCount('close'), vi.getTimerCount()]).toEqual([1, 1]);
  raw.destroy();
  patience.wait(raw as unknown as Socket);
  expect(vi.getTimerCount()).toBe(0);
});

test.each(['h2', 'http/1.1'])(
  'over TLS (%s) the bytes beneath are nobody’s to wait for: what has come goes on for as long as it likes',
  (protocol) => {
    const { server, patience, raw } = open(true);
    const secure = new Connection(protocol);
    server.emit('secureConnection', secure);
    const session = new Connection();
    if (protocol === 'h2') {
      server.emit('session', session);
      session.emit('stream');
    } else patience.came(secure as unknown as Socket);
    vi.advanceTimersByTime(100_000);
    expect([raw, secure, session].map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
  },
);

test.each(['h2', 'http/1.1'])('over TLS (%s), too, a client that asks for nothing is let go', (protocol) => {
  const { server } = open(true);
  const secure = new Connection(protocol);
  server.emit('secureConnection', secure);
  const session = new Connection();
  server.emit('session', session);
  vi.advanceTimersByTime(1001);
  expect(protocol === 'h2' ? session.destroyed : secure.destroyed).toBe(true);
});
