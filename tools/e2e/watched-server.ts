import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Registry } from '@prometheus-io/client';
import { pino } from 'pino';
import { readConfig } from '../server/config.ts';
import { startInstallation } from '../server/installation.ts';

/**
 * An installation in a process of its own that measures how long its event loop stands still. Forked: it says where it listens and
 * with which key, then answers each message with the longest stall in milliseconds since the last one.
 */
const resolution = 5;
const delays = monitorEventLoopDelay({ resolution });
const installation = await startInstallation(readConfig(process.env), pino({ level: 'silent' }), {
  port: 0,
  metrics: new Registry(),
});
delays.enable();
process.on('message', () => {
  process.send?.(Math.max(0, delays.max / 1e6 - resolution));
  delays.reset();
});
process.once('disconnect', () => void installation.close().finally(() => process.exit()));
process.send?.({ port: installation.listening.port, key: installation.administrator });
