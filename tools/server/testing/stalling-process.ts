import { setTimeout as pause } from 'node:timers/promises';
import { Registry } from '@prometheus-io/client';
import { startWatchdog } from '../watchdog.ts';

/** A process that stands still for as many milliseconds as it is told, and says what its watchdog logged of that and counted. */
const [milliseconds = '0'] = process.argv.slice(2);
const metrics = new Registry();
const heard: { lines: number; said?: object } = { lines: 0 };
const log = {
  info: () => undefined,
  error: () => undefined,
  warn: (fields: object, message: string) => {
    heard.lines += 1;
    // A busy machine lets a process stand as well.
    if (JSON.stringify(fields).includes('standStill')) heard.said ??= { ...fields, message };
  },
};
const stop = startWatchdog({ log, metrics, stallMs: 200 });

function standStill(): void {
  const until = performance.now() + Number(milliseconds);
  let spun = 0;
  while (performance.now() < until) spun++;
  if (spun < 0) process.exit(2);
}

// A server is kept alive by its port.
const alive = setInterval(() => undefined, 1000);
// Again when the thread that watches had not begun yet.
while (heard.said === undefined) {
  await pause(500);
  if (heard.said === undefined) standStill();
}
process.send?.({ ...heard, metrics: await metrics.metrics() });
await stop();
clearInterval(alive);
process.disconnect?.();
