import { expect, test } from 'vitest';
import { agentsOf, compareVersions, healthOfCertificate } from './installation-data.ts';

test('versions are compared number by number', () => {
  expect(compareVersions('1.10.0', '1.9.9')).toBeGreaterThan(0);
  expect(compareVersions('1.9', '1.9.1')).toBeLessThan(0);
  expect(compareVersions('1.9.0', '1.9')).toBe(0);
  expect(compareVersions('', '0.1.0')).toBeLessThan(0);
});

test('an agent is behind another one of its major version: kinds of agents number theirs by themselves', () => {
  const host = (agentVersion: string, agentConnected = true) => ({
    agentConnected,
    ec2InstanceId: agentVersion,
    containerInstanceArn: 'arn:aws:ecs:us-east-1:000000000000:container-instance/default/x',
    versionInfo: { agentVersion, dockerVersion: 'DockerVersion: 28.0' },
  });
  const agents = agentsOf([host('0.1.0'), host('0.2.0', false), host('1.98.0'), {}]);
  expect(agents.map(({ agent, docker, isBehind, isConnected }) => [agent, docker, isBehind, isConnected])).toEqual([
    ['0.1.0', '28.0', true, true],
    ['0.2.0', '28.0', false, false],
    ['1.98.0', '28.0', false, true],
    ['', '', false, true],
  ]);
});

test('a certificate needs somebody a month before its end', () => {
  const day = 86_400;
  const word = (notAfter: number | undefined, status = 'ISSUED'): string =>
    healthOfCertificate({ name: 'x', from: 'ACM', status, notAfter }, 0).word;
  expect([-1, 6 * day, 29 * day, 31 * day].map((end) => word(end))).toEqual([
    'run out',
    'runs out in days',
    'runs out soon',
    'good',
  ]);
  expect([word(undefined, 'PENDING_VALIDATION'), word(undefined, 'VALIDATION_TIMED_OUT')]).toEqual([
    'pending validation',
    'validation timed out',
  ]);
});
