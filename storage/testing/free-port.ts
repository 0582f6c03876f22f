import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Where the kernel's own choice begins, for outgoing connections and listeners without a number (Linux: ip_local_port_range). */
const chosenByKernel = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)[0]);

/** What this process was given: who asks for several gets different ones. */
const given = new Set<number>();

/**
 * A port that nobody listens on, out of those that the kernel gives nobody by itself: a server that ends and starts again on it does not
 * find an outgoing connection of another test there.
 *
 * @throws Error when none of a hundred is free
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(Math.min(10_000, chosenByKernel - 1_000), chosenByKernel);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
  throw new Error(`found no free port below ${chosenByKernel}`);
}

/** Whether it can be had on every address, so on each. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
