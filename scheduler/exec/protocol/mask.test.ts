import { expect, test } from 'vitest';

import { maskTo } from './index.ts';

test.each([
  ['wss://registry.example/exec/ws', true],
  ['ws://127.0.0.1:7500/exec/ws', true],
  ['ws://[::1]:7500/exec/ws', true],
  ['ws://localhost/exec/ws', true],
  ['ws://registry.example/exec/ws', false],
  ['ws://127.example/exec/ws', false],
  ['ws://192.0.2.1/exec/ws', false],
])('frames to %s are masked with zeros: %s', (address, zeros) => {
  const mask = Buffer.of(1, 2, 3, 4);
  maskTo(new URL(address))?.(mask);
  expect(mask.equals(Buffer.alloc(4))).toBe(zeros);
});
