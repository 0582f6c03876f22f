import { readdirSync } from 'node:fs';
import { Counter, Gauge, type Registry } from '@prometheus-io/client';

/**
 * What each process of a server uses, under the names that Prometheus gives such numbers everywhere. A scrape adds the processes up;
 * their number stands in `slipway_processes`.
 */
export function registerProcessMetrics(registry: Registry, version: string): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number, aggregator: 'sum' | 'min' = 'sum'): void => {
    const made: Gauge = new Gauge({ name, help, aggregator, registers, collect: () => made.set(read()) });
  };
  gauge('slipway_processes', 'Processes of this server that answer requests', () => 1);
  gauge('process_resident_memory_bytes', 'Memory in use', () => process.memoryUsage.rss());
  gauge('process_open_fds', 'Open files and connections', openFiles);
  const startedAt = Math.round(Date.now() / 1000 - process.uptime());
  gauge('process_start_time_seconds', 'When the oldest process began, seconds since the epoch', () => startedAt, 'min');
  let counted = 0;
  const cpu: Counter = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Time of processors spent',
    registers,
    collect: () => {
      const { user, system } = process.cpuUsage();
      const now = (user + system) / 1e6;
      cpu.inc(now - counted);
      counted = now;
    },
  });
  const build = new Gauge({
    name: 'slipway_build_info',
    help: 'Always 1; the labels say what runs',
    labelNames: ['version', 'node'],
    aggregator: 'min',
    registers,
  });
  build.set({ version, node: process.versions.node }, 1);
}

/** 0 where the system does not show them. */
function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
