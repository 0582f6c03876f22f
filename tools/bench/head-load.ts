import { connect } from 'node:net';
import type { Target } from './load.ts';
import { quantile } from './results.ts';
import { manifestType, type Rate } from './registry-load.ts';

/**
 * HEAD again and again on keep-alive connections. Its answers are heads only, so that their ends are all there is to look for,
 * and one recycled buffer takes them: a client that reads more of them costs as much as the servers it measures.
 * @param unlike whether each request differs from all before it, by a header
 * @throws when an answer is not 200
 */
export async function headRate(
  target: Target,
  path: string,
  connections: number,
  seconds: number,
  unlike = false,
): Promise<Rate> {
  const { hostname, port, host } = new URL(target.origin);
  const lines = Object.entries({ ...target.headers, accept: manifestType }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const head = `HEAD ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines.join('')}`;
  const request = Buffer.from(`${head}\r\n`, 'latin1');
  let count = 0;
  const times: number[] = [];
  const buffer = Buffer.allocUnsafeSlow(64 * 1024);
  const text = (start: number, end: number): string => buffer.toString('latin1', start, end);
  const started = performance.now();
  const until = started + seconds * 1000;

  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let sent = 0;
      let within = false;
      const next = (): void => {
        sent = performance.now();
        socket.write(unlike ? `${head}x-count: ${count++}\r\n\r\n` : request, 'latin1');
      };
      const take = (size: number): boolean => {
        if (!within && text(9, 12) !== '200') {
          reject(new Error(`HEAD ${target.origin}${path}: ${text(0, Math.min(size, 200))}`));
          socket.destroy();
          return false;
        }
        within = text(Math.max(0, size - 4), size) !== '\r\n\r\n';
        if (within) return true;
        const now = performance.now();
        times.push(now - sent);
        if (now < until) next();
        else socket.end();
        return true;
      };
      const socket = connect({
        host: hostname,
        port: Number(port),
        noDelay: true,
        onread: { buffer, callback: take },
      });
      socket.once('connect', next).once('error', reject).once('close', resolve);
    });
  await Promise.all(Array.from({ length: connections }, one));
  return { perSecond: times.length / ((performance.now() - started) / 1000), p99: quantile(times, 0.99) };
}
