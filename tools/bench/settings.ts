import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { execRows } from './exec-rows.ts';
import { short, writeSection } from './results.ts';
import { secretRows } from './secret-rows.ts';
import { secretStartRows } from './secret-starts.ts';

/** `npm run bench:settings`: secrets and parameters, what they add to the start of a task, commands in its containers, and copies of their files. */
const { values: options } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    starts: { type: 'string', default: '500' },
    tasks: { type: 'string', default: '30' },
    keystrokes: { type: 'string', default: '600' },
    megabytes: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '3' },
  },
});
const given = process.argv.slice(2);
const rounds = Number(options.rounds);

const secrets = await secretRows({ requests: Number(options.requests), starts: Number(options.starts), rounds });
const begun = await secretStartRows(Number(options.tasks));
const commands = await execRows({
  keystrokes: Number(options.keystrokes),
  megabytes: Number(options.megabytes),
  rounds,
});
writeSection({
  name: 'settings',
  title: 'Secrets, parameters, and commands in tasks',
  command: ['npm run bench:settings', ...(given.length === 0 ? [] : ['--', ...given])].join(' '),
  notes: [
    'GetSecretValue: on SQLite in one process, behind the whole front door (signature, decision, audit line), 8 connections from another process. The secret is encrypted with a key of KMS that its caller must be allowed to use.',
    'A task is given 20 values, half of them secrets and half secure strings, all encrypted with a key of its own account: what reading them takes on the server. Then tasks of one host are started with 20 values and without, one after the other and each first in turn: from `createdAt` to `startedAt`.',
    'One server with its own agent on loopback. A keystroke is a byte that a process of `slipway exec -i` is sent, and that `cat` in the container sends back; the peer is `docker exec -i` into the same container. Copies are processes of `slipway cp` and `docker cp`, from their start to their end. Rounds alternate.',
    `Work waiting for a core when it ended (load average of a minute): ${short(loadavg()[0] ?? 0)}.`,
  ],
  rows: [...secrets, ...begun, ...commands],
});
