import { AwsError, type Call } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';
import { randomBytes } from 'node:crypto';

import { createEc2 } from '../ec2/index.ts';
import { Groups } from '../../scaling/groups/index.ts';
import { Networks } from '../records/index.ts';

export const account = '000000000000';
export const region = 'us-east-1';

/** What an answer of the API holds; tests know what they asked for. */
// eslint-disable-next-line typescript/no-explicit-any
export type Answer = any;

export interface TestNetworks {
  readonly records: RecordStore;
  readonly networks: Networks;
  /** Zones of the hosts; tests add to them. */
  readonly zones: string[];
  /** Calls an operation as the gateway does when the input is read: access first, then the handler. */
  call(name: string, input?: object, as?: string): Promise<Answer>;
  /** What a call needs to be allowed: actions with their resources. */
  access(name: string, input?: object): Promise<readonly string[]>;
  /** The code and message of the error that a call ends in. */
  refusal(name: string, input?: object): Promise<string>;
}

/** The API of EC2 on records in memory. @param records those of another server, to stand for a second one beside it */
export function openNetworks(records: RecordStore = memoryRecords(systemClock)): TestNetworks {
  const zones: string[] = [];
  const context = { records, clock: systemClock, random: randomBytes, region };
  const networks = new Networks({ ...context, zonesOfHosts: () => Promise.resolve(zones) });
  const { operations } = createEc2({
    ...context,
    networks,
    groups: new Groups(context),
    profileRole: (of, { Name }) => Promise.resolve(Name === undefined ? undefined : `arn:aws:iam::${of}:role/${Name}`),
  });
  const operationOf = (name: string) => {
    const found = operations[name] as unknown as {
      access: (input: object, call: Call) => Promise<readonly { action: string; resources: { arn: string }[] }[]>;
      handle: (input: object, call: Call) => Promise<Answer>;
    };
    if (found === undefined) throw new Error(`there is no operation ${name}`);
    return found;
  };
  const callOf = (as: string): Call =>
    ({
      account: as,
      region,
      principal: { arn: `arn:aws:iam::${as}:user/tester` },
      endpoint: 'http://127.0.0.1:7500',
      time: new Date(),
    }) as Call;
  const call = async (name: string, input: object = {}, as = account): Promise<Answer> => {
    await operationOf(name).access(input, callOf(as));
    return operationOf(name).handle(input, callOf(as));
  };
  return {
    records,
    networks,
    zones,
    call,
    access: async (name, input = {}) =>
      (await operationOf(name).access(input, callOf(account))).flatMap(({ action, resources }) =>
        resources.map(({ arn }) => `${action} ${arn.split(':').slice(5).join(':') || arn}`),
      ),
    refusal: (name, input) =>
      call(name, input).then(
        (answer) => Promise.reject(new Error(`${name} was not refused: ${JSON.stringify(answer)}`)),
        (error: unknown) => {
          if (error instanceof AwsError) return `${error.code}: ${error.message}`;
          throw error;
        },
      ),
  };
}
