import { randomBytes } from 'node:crypto';
import { AwsError, type Call } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';

import { type Answer, callerOf, region } from '../../balancing/testing/caller.ts';
import { testSealer } from '../../balancing/testing/open-acm.ts';
import { createKms, Keys, kmsSchemas } from '../keys/index.ts';
import { createParameterStore, Parameters, parametersSchemas } from '../parameters/index.ts';
import { createSecretsManager, Secrets, secretsSchemas } from '../secrets/index.ts';

/** Secrets over a store in memory, with a clock that stands where a test puts it. */
export function openSettings() {
  const records = memoryRecords(systemClock);
  const clock = { ...systemClock, at: Date.parse('2026-06-15T12:00:00Z'), now: (): number => clock.at };
  const sealer = testSealer();
  const base = { records, clock, random: randomBytes, region, sealer };
  const keys = new Keys(base);
  const secrets = new Secrets({ ...base, keys });
  const parameters = new Parameters({ ...base, keys });
  /** Resources that the authorizer refuses. */
  const refused = new Set<string>();
  const authorizer = {
    authorize: (
      _who: unknown,
      { resources }: { readonly resources: readonly { readonly arn: string }[] },
      _call: Call,
    ) => Promise.resolve({ allowed: resources.every(({ arn }) => !refused.has(arn)), reason: 'the test says so' }),
  };
  /** What rotates secrets: everything but what a test calls unknown. */
  const rotation = {
    access: () => Promise.resolve([]),
    check: ({ principal }: Call, target: string) =>
      target === 'unknown'
        ? Promise.reject(new AwsError('InvalidRequestException', 'unknown'))
        : Promise.resolve({ type: principal.type, account: principal.account, arn: principal.arn, id: principal.id }),
  };
  const principals = {
    bind: (text: string) => Promise.resolve(text.replaceAll('user/ada', 'AIDAADA')),
    show: (text: string) => Promise.resolve(text.replaceAll('AIDAADA', 'user/ada')),
  };
  const spoken = {
    write: (_name: string, _shapes: unknown, input: object) => Buffer.from(JSON.stringify(input)),
    read: (_answer: Answer, body: unknown) => JSON.parse((body as Buffer).toString('utf8')) as Answer,
    now: clock.now,
  };
  return {
    clock,
    records,
    sealer,
    keys,
    secrets,
    parameters,
    refused,
    authorizer,
    kms: callerOf(createKms({ keys, region, authorizer, principals }), kmsSchemas, spoken),
    manager: callerOf(
      createSecretsManager({ ...base, secrets, authorizer, principals, rotation }),
      secretsSchemas,
      spoken,
    ),
    store: callerOf(createParameterStore({ ...base, parameters, secrets, authorizer }), parametersSchemas, spoken),
  };
}

/** Every record of a store, as text. */
export async function everyRecord({ records }: Pick<ReturnType<typeof openSettings>, 'records'>): Promise<string> {
  const texts: string[] = [];
  const { names } = await records.partitions();
  for (const name of names) texts.push(JSON.stringify(await records.list(name)));
  return texts.join('\n');
}
