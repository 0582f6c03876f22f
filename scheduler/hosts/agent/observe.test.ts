import type Docker from 'dockerode';
import { expect, test } from 'vitest';

import { healthOf } from './observe.ts';

const container = (Status: string, health?: string): Docker.ContainerInspectInfo =>
  ({
    State: { Status, ...(health === undefined ? {} : { Health: { Status: health } }) },
  }) as Docker.ContainerInspectInfo;

test.each([
  ['running', 'healthy', 'HEALTHY'],
  ['running', 'unhealthy', 'UNHEALTHY'],
  ['running', 'starting', 'UNKNOWN'],
  ['running', undefined, 'UNKNOWN'],
  // As Docker says it of a container that has ended, whatever ended it.
  ['exited', 'unhealthy', 'UNKNOWN'],
  ['dead', 'unhealthy', 'UNKNOWN'],
  ['created', 'starting', 'UNKNOWN'],
])('the health of a container that is %s and %s is %s', (status, health, expected) => {
  expect(healthOf(container(status, health))).toBe(expected);
});

test('the health of a container that nobody has seen is not known', () => {
  expect(healthOf(undefined)).toBe('UNKNOWN');
});
