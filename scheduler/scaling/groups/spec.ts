import { groupAttribute } from '../../state/index.ts';
import { type MachineSpec, ProviderError } from '../providers/index.ts';
import { joinToken } from './join-token.ts';
import type { KeeperPorts } from './keeper.ts';
import type { MachineRecord } from './records.ts';
import { joinWithin } from './room.ts';
import { agentSettings } from './user-data.ts';

/** What a machine is to be, as its provider is told. @throws ProviderError */
export async function specOf(
  { networks, region, joinKey, endpoint }: Pick<KeeperPorts, 'networks' | 'region' | 'joinKey' | 'endpoint'>,
  account: string,
  owner: string,
  machine: MachineRecord,
): Promise<MachineSpec> {
  const { template } = machine;
  const version = await networks.templateVersion(account, template.id, template.version);
  if (version === undefined)
    throw new ProviderError(`The launch template ${template.name} has no version ${template.version} any more.`);
  const { data } = version;
  const said = agentSettings(Buffer.from(data.UserData ?? '', 'base64').toString('utf8'));
  return {
    id: machine.id,
    owner,
    account: account,
    region,
    group: machine.group,
    cluster: machine.cluster,
    zone: machine.zone,
    ...(machine.subnet === undefined ? {} : { subnet: machine.subnet }),
    instanceType: machine.instanceType,
    ...(machine.spot === true ? { spot: true } : {}),
    imageId: machine.imageId,
    template: data,
    tags: machine.tags,
    settings: {
      ...said,
      ECS_CLUSTER: machine.cluster,
      ...(machine.spot === true ? { SLIPWAY_SPOT: 'true' } : {}),
      ECS_INSTANCE_ATTRIBUTES: attributesFor(said['ECS_INSTANCE_ATTRIBUTES'], machine),
      AWS_ENDPOINT_URL: endpoint(),
      AWS_REGION: region,
      SLIPWAY_JOIN: joinToken(joinKey, account, machine.id),
    },
    joinUntil: machine.stateAt + joinWithin,
  };
}

/** The attributes that user data names, with those that are the group's to say. What is no JSON object the agent refuses itself. */
function attributesFor(attributes: string | undefined, { zone, group }: MachineRecord): string {
  try {
    const said = JSON.parse(attributes ?? '{}') as unknown;
    if (typeof said === 'object' && said !== null && !Array.isArray(said))
      return JSON.stringify({ ...said, 'ecs.availability-zone': zone, [groupAttribute]: group });
  } catch {
    // As it is.
  }
  return attributes ?? '';
}
