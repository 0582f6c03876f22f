import { type RecordStore, scanAll } from '@slipway/storage/records';

import { networkKeys, networkPartition } from './keys.ts';
import type { NatGatewayRecord, NounType } from './records.ts';

/**
 * What an account has that is kept and does nothing itself, for whoever looks what is wrong: `2 NAT gateways, 1 elastic address`.
 * @returns undefined when it has nothing of that kind
 */
export async function networksThatAreRecords(records: RecordStore, account: string): Promise<string | undefined> {
  const of = async <T>(type: NounType): Promise<readonly T[]> => {
    const rows = await scanAll<T>(records, networkPartition(account), { prefix: networkKeys.noun(type, '') });
    return rows.map(({ value }) => value);
  };
  const gateways = (await of<NatGatewayRecord>('natgateway')).filter(({ deletedAt }) => deletedAt === undefined).length;
  const addresses = (await of('elastic-ip')).length;
  const counted = [
    ...(gateways === 0 ? [] : [`${gateways} NAT gateway${gateways === 1 ? '' : 's'}`]),
    ...(addresses === 0 ? [] : [`${addresses} elastic address${addresses === 1 ? '' : 'es'}`]),
  ];
  return counted.length === 0 ? undefined : counted.join(', ');
}
