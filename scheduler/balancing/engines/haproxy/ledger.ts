import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';

/** What a server that takes an engine over must know of it; lies beside it, and holds no key. */
const ledgerShape = z.strictObject({
  /** What the newest worker routes by. */
  generation: z.int().min(0),
  /** Digest of what cannot change without a reload. */
  structure: z.string(),
  /** Digests of certificates' files, by path. */
  certificates: z.record(z.string(), z.string()),
  /** By process: the generation a worker routed by when it was replaced. */
  left: z.record(z.string(), z.int()),
  listeners: z.array(
    z.strictObject({
      id: z.string(),
      loadBalancerId: z.string(),
      name: z.string(),
      address: z.string(),
      port: z.int(),
      reason: z.string().optional(),
    }),
  ),
  servers: z.array(
    z.strictObject({
      path: z.string(),
      targetGroupId: z.string(),
      registrationId: z.string(),
      loadBalancerId: z.string().optional(),
    }),
  ),
});

export type Ledger = z.infer<typeof ledgerShape>;

export const emptyLedger: Ledger = {
  generation: 0,
  structure: '',
  certificates: {},
  left: {},
  listeners: [],
  servers: [],
};

/** Undefined for one that is missing or damaged: then nothing is known of the workers that run. */
export async function readLedger(path: string): Promise<Ledger | undefined> {
  try {
    return ledgerShape.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

export async function writeLedger(path: string, ledger: Ledger): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(ledger), { mode: 0o600 });
  await chmod(`${path}.new`, 0o600);
  await rename(`${path}.new`, path);
}
