/**
 * A traffic engine that is driven from a process of its own, so that both can be in another network namespace: desired states by standard
 * input, one JSON text a line, the generation that is live by standard output. It ends the engine when the input ends.
 *
 *     node engine-process.ts embedded|haproxy FOLDER
 */
import { createInterface } from 'node:readline';

import type { DesiredState } from '../../routing/index.ts';
import { openEmbedded, openHaproxy } from '../engines/index.ts';

const [kind, folder = ''] = process.argv.slice(2);
const engine =
  kind === 'haproxy'
    ? await openHaproxy({ folder, program: '/usr/sbin/haproxy', hardStopAfter: 30 })
    : await openEmbedded({ folder });
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const { generation, listeners } = await engine.apply(JSON.parse(line) as DesiredState);
    const unbound = [...listeners.values()].filter(({ bound }) => !bound);
    process.stdout.write(`${JSON.stringify({ generation, unbound })}\n`);
  }
} finally {
  await engine.stop();
}
