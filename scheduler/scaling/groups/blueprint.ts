import { isName } from '../../cluster/index.ts';
import { type Networks, type TemplateData, templateVersionNumber } from '../../network/records/index.ts';
import type { Groups } from './groups.ts';
import type { GroupRecord } from './records.ts';
import { launchedAs } from './refresh.ts';
import { nextType } from './units.ts';
import { agentSettings } from './user-data.ts';

/** The ARN of the role that an instance profile has: what machines act as; undefined without a profile or a role. */
export type ProfileRole = (
  account: string,
  profile: { readonly Arn?: string | undefined; readonly Name?: string | undefined },
) => Promise<string | undefined>;

export interface BlueprintPorts {
  readonly networks: Networks;
  readonly profileRole: ProfileRole;
}

/** What new machines of a group are made from, as its template says it now. */
export interface Blueprint {
  readonly template: { readonly id: string; readonly name: string; readonly version: number };
  readonly data: TemplateData;
  readonly instanceType: string;
  /** How much of its group's capacity a machine of that type is. */
  readonly weight: number;
  readonly imageId: string;
  readonly cluster: string;
  readonly role: string;
  /** Of the subnets of the group, by zone. */
  readonly subnets: ReadonlyMap<string, string>;
  readonly tags: Readonly<Record<string, string>>;
}

/** The cluster of an agent that is told no other, as for amazon-ecs-agent. */
const usualCluster = 'default';

/**
 * Reads what new machines are made from.
 * @throws Error that says, in its message, what of the template cannot be had
 */
export async function blueprintOf(
  { networks, profileRole }: BlueprintPorts,
  account: string,
  group: Pick<GroupRecord, 'template' | 'types' | 'weights' | 'tags' | 'subnets' | 'name' | 'failures'>,
): Promise<Blueprint> {
  const { template: of, tags, subnets: ids, name } = group;
  const network = await networks.read(account);
  const template = network.get('launch-template', of.id);
  if (template === undefined) throw new Error(`The launch template ${of.name} (${of.id}) does not exist.`);
  const number = templateVersionNumber(template, of.version);
  const version = number === undefined ? undefined : await networks.templateVersion(account, of.id, number);
  if (version === undefined) throw new Error(`The launch template ${template.name} has no version ${of.version}.`);
  const { data } = version;
  if (data.IamInstanceProfile === undefined)
    throw new Error(
      `The launch template ${template.name} names no IamInstanceProfile: its machines would have no right to join a cluster. Name one whose role has AmazonEC2ContainerServiceforEC2Role.`,
    );
  const role = await profileRole(account, data.IamInstanceProfile);
  if (role === undefined)
    throw new Error(
      `The instance profile ${data.IamInstanceProfile.Name ?? data.IamInstanceProfile.Arn ?? ''} does not exist, or has no role.`,
    );
  const settings = agentSettings(Buffer.from(data.UserData ?? '', 'base64').toString('utf8'));
  const cluster = settings['ECS_CLUSTER'] ?? usualCluster;
  if (!isName(cluster))
    throw new Error(`ECS_CLUSTER=${cluster.slice(0, 100)} in the user data is no name of a cluster.`);
  const ofTemplate = (data.TagSpecifications ?? [])
    .filter(({ ResourceType }) => ResourceType === 'instance')
    .flatMap(({ Tags = [] }) => Tags.map(({ Key = '', Value = '' }) => [Key, Value] as const));
  const { type = data.InstanceType ?? '', weight } = nextType(group);
  return {
    template: { id: template.id, name: template.name, version: version.number },
    data,
    instanceType: type,
    weight,
    imageId: data.ImageId ?? '',
    cluster,
    role,
    subnets: new Map(
      ids.flatMap((id) => {
        const zone = network.get('subnet', id)?.zone;
        return zone === undefined ? [] : [[zone, id] as const];
      }),
    ),
    tags: {
      ...Object.fromEntries(ofTemplate),
      ...Object.fromEntries(tags.filter(({ propagate }) => propagate).map(({ key, value }) => [key, value])),
      'aws:autoscaling:groupName': name,
    },
  };
}

/** What the next machines of a group are made from. */
export interface NextMachines {
  /** The launch template's id. */
  readonly template: string;
  readonly version: number;
  /** Instance types of which they may be. */
  readonly types: readonly string[];
}

/** Reads what the next machines of a group would be made from; undefined when none can be made. */
export const nextMachines =
  ({ groups, ...ports }: BlueprintPorts & { readonly groups: Pick<Groups, 'byName'> }) =>
  async (account: string, name: string): Promise<NextMachines | undefined> => {
    const group = await groups.byName(account, name);
    if (group === undefined) return undefined;
    const blueprint = await blueprintOf(ports, account, launchedAs(group)).catch(() => undefined);
    if (blueprint === undefined) return undefined;
    const { template, instanceType } = blueprint;
    return { template: template.id, version: template.version, types: group.types ?? [instanceType] };
  };
