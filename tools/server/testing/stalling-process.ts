import { Registry } from '@prometheus-io/client';
import { startWatchdog } from '../watchdog.ts';

/** A process that stands still for as many milliseconds as it is told, and says what its watchdog logged and counted. */
const [milliseconds = '0'] = process.argv.slice(2);
const metrics = new Registry();
const logged = Promise.withResolvers<object>();
const log = {
  info: () => undefined,
  error: () => undefined,
  warn: (fields: object, message: string) => logged.resolve({ ...fields, message }),
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
setTimeout(standStill, 500);
const said = await logged.promise;
process.send?.({ said, metrics: await metrics.metrics() });
await stop();
clearInterval(alive);
process.disconnect?.();
