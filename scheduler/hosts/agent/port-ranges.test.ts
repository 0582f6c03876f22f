import { expect, test } from 'vitest';

import { portsOf } from './port-ranges.ts';

test('a mapping opens one port, or those of a range', () => {
  expect(portsOf({ containerPort: 80, hostPort: 0, protocol: 'tcp' })).toEqual({
    first: 80,
    count: 1,
    protocol: 'tcp',
  });
  expect(portsOf({ containerPortRange: '5060-5062', hostPort: 0, protocol: 'udp' })).toEqual({
    first: 5060,
    count: 3,
    protocol: 'udp',
  });
  expect(portsOf({ containerPortRange: '65535-65535', hostPort: 0, protocol: 'tcp' })).toMatchObject({ count: 1 });
});

test.each(['', '80', '80-', '0-3', '9-8', '1-65536', '-1-2', '1-2x', '111111-111112'])('%j is no range', (text) => {
  expect(portsOf({ containerPortRange: text, hostPort: 0, protocol: 'tcp' })).toBeUndefined();
});
