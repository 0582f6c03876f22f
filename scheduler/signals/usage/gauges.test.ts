import { expect, test } from 'vitest';

import { usageGauges } from './gauges.ts';

const usage = (id: string, service: string, cpu: number) => ({
  instance: { account: '000000000000', cluster: 'shop', id: 'host' },
  usage: {
    task: {
      arn: `arn:task/${id}`,
      id,
      family: 'web',
      service,
      launchType: 'EC2' as const,
      reservedCpu: 256,
      shares: 256,
      reservedMemory: 128,
    },
    cpu,
  },
});

test('each task has a line with its service; what is not known of it has none', async () => {
  const gauges = usageGauges({ newest: () => [usage('a', 'web', 12.5)] });
  const lines = await Promise.all(gauges.map(async ({ name, read }) => [name, await read()]));
  const labels = { account: '000000000000', cluster: 'shop', service: 'web', family: 'web', task: 'a' };
  expect(Object.fromEntries(lines)).toEqual({
    slipway_task_cpu_units: [{ labels, value: 12.5 }],
    slipway_task_cpu_reserved_units: [{ labels, value: 256 }],
    slipway_task_memory_bytes: [],
    slipway_task_memory_reserved_bytes: [{ labels, value: 128 * 1024 * 1024 }],
    slipway_task_received_bytes_per_second: [],
    slipway_task_sent_bytes_per_second: [],
  });
});

test('however many tasks and services there are, lines are bounded and their sum is that of all', async () => {
  const many = Array.from({ length: 2_500 }, (_, i) => usage(String(10_000 + i), `service-${i}`, 1));
  const [cpu] = usageGauges({ newest: () => many });
  const lines = (await cpu?.read()) ?? [];
  expect(lines).toHaveLength(2_001);
  expect(lines.reduce((sum, { value }) => sum + value, 0)).toBe(2_500);
  expect(lines.at(-1)).toMatchObject({ labels: { cluster: 'others', task: 'others' }, value: 500 });
  expect(lines[1_000]).toMatchObject({ labels: { service: 'service-1000', task: 'others' }, value: 1 });
});
