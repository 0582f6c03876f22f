import { once } from 'node:events';
import { type LoadOptions, startLoad } from './load.ts';

/**
 * Loads in a process of their own, so that they run within the network of a host: `node process.ts LOADS as JSON`. Prints how many requests
 * have ended so far, a line of JSON at a time; after SIGTERM, when what was in flight has come to its end, the reports.
 */
const loads = (JSON.parse(process.argv[2] ?? '[]') as LoadOptions[]).map(startLoad);
const print = (what: object): void => {
  process.stdout.write(`${JSON.stringify(what)}\n`);
};
const telling = setInterval(() => print({ totals: loads.map(({ total }) => total) }), 200);
await once(process, 'SIGTERM');
clearInterval(telling);
try {
  print({ reports: await Promise.all(loads.map((load) => load.stop())) });
} catch (error) {
  print({ error: String(error) });
}
