import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { execRows } from './exec-rows.ts';
import { short, writeSection } from './results.ts';

/** `npm run bench:settings`: what tasks are given, and commands in them. */
const { values: options } = parseArgs({
  options: {
    keystrokes: { type: 'string', default: '600' },
    megabytes: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '3' },
  },
});
const [keystrokes, megabytes, rounds] = [options.keystrokes, options.megabytes, options.rounds].map(Number) as [
  number,
  number,
  number,
];

const rows = await execRows({ keystrokes, megabytes, rounds });
writeSection({
  name: 'settings',
  title: 'Commands in tasks',
  command: 'npm run bench:settings',
  notes: [
    'One server with its own agent on loopback. A keystroke is a byte that a process of `slipway exec -i` is sent, and that `cat` in the container sends back; the peer is `docker exec -i` into the same container. Copies are processes of `slipway cp` and `docker cp`, from their start to their end. Rounds alternate.',
    `Work waiting for a core when it ended (load average of a minute): ${short(loadavg()[0] ?? 0)}.`,
  ],
  rows,
});
