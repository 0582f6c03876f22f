import { readFile } from 'node:fs/promises';
import { z } from 'zod';

import { ProviderError } from '../instance-provider.ts';

/** Nothing that `ssh` or a shell would read as something else. */
const hostName = /^[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$/;
const absolute = z
  .string()
  .max(1024)
  .regex(/^\/[^\0\n]*$/, 'must be an absolute path');
const command = z.string().min(1).max(4096);
const seconds = z.int().min(1).max(3600);

const machine = z.strictObject({
  /** What it is called in messages, and by whoever has it. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$/, 'must be letters, digits, dots and hyphens'),
  host: z.string().regex(hostName, 'must be a name or an address'),
  port: z.int().min(1).max(65_535).default(22),
  /** Groups of other zones do not get it. */
  zone: z.string().max(100).optional(),
  /** Nor those of other instance types. */
  types: z.array(z.string().max(64)).min(1).max(20).optional(),
  /** What wakes it: a program of the server's, by its absolute path and what it is called with; no shell reads it. */
  wake: z.array(z.string().max(1024)).min(1).max(32).optional(),
  /** Or its hardware address, to which a packet of Wake-on-LAN is sent. */
  mac: z
    .string()
    .regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i, 'must be like 52:54:00:12:34:56')
    .optional(),
  broadcast: z.ipv4().default('255.255.255.255'),
  /** Run on it by `sh` when it is put back. */
  sleep: command.optional(),
  /** Where it keeps whose it is. */
  folder: absolute.default('/var/lib/slipway-machine'),
  /** Where its agent finds its settings. */
  settings: absolute.default('/etc/ecs/ecs.config'),
});

const shape = z
  .strictObject({
    user: z
      .string()
      .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'must be the name of a user')
      .default('root'),
    /** The private key, which only whoever runs the server may read. */
    key: absolute,
    /** The host keys of the machines; others are refused. */
    knownHosts: absolute,
    /** Run on a machine by `sh` to have its agent start, and stop and forget what it was. */
    join: command.default('systemctl restart slipway-agent'),
    /** And to have it stop for a while: what it is it stays. */
    pause: command.default('systemctl stop slipway-agent'),
    leave: command.default(
      'systemctl stop slipway-agent; docker ps -aq --filter label=dev.slipway.agent | xargs -r docker rm -fv; rm -rf /var/lib/slipway/agent',
    ),
    /** Whether user data that begins with `#!` is run, once, before the agent starts. */
    userData: z.enum(['run', 'keep']).default('run'),
    /** Seconds. */
    connectWithin: seconds.default(10),
    wakeWithin: seconds.default(300),
    commandWithin: seconds.default(600),
    machines: z.array(machine).min(1).max(200),
  })
  .refine(({ machines }) => new Set(machines.map(({ name }) => name)).size === machines.length, {
    path: ['machines'],
    error: 'must name each machine once',
  })
  .refine(({ machines }) => machines.every(({ wake }) => wake === undefined || wake[0]?.startsWith('/')), {
    path: ['machines'],
    error: 'must name the programs that wake them by absolute paths',
  });

/** Prepared machines, and how they are reached. */
export type Pool = z.infer<typeof shape>;
export type PoolMachine = Pool['machines'][number];

/** Bytes. */
const largestFile = 1024 * 1024;

/**
 * Reads the file that describes a pool; it may change while the server runs.
 * @throws ProviderError that names the field
 */
export async function readPool(file: string): Promise<Pool> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ProviderError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
  if (text.length > largestFile) throw new ProviderError(`${file} has more than ${largestFile} characters`);
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw new ProviderError(`${file} is no JSON`);
  }
  const read = shape.safeParse(said);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new ProviderError(`${file}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is wrong'}`.slice(0, 400));
}
