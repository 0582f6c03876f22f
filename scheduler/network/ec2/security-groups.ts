import { AwsError } from '@slipway/auth/contract';

import { allOut, type Network, type SecurityGroupRecord } from '../records/index.ts';

import { dependency, invalidValue } from './errors.ts';
import { describeNoun, find, notFound, tagList, tagsFor } from './noun.ts';
import { arn, type Ec2Operations, mayCreate, mayOn, operation, type Scene } from './operation.ts';
import { groupIn, permission, permissionsOf } from './permissions.ts';
import { as, flag, list, type Of, required, struct, tags, tagSpecifications, text, texts } from './shapes.ts';

const groupShape = struct('SecurityGroup', {
  GroupId: text,
  GroupName: text,
  Description: as('groupDescription', text),
  OwnerId: text,
  VpcId: text,
  SecurityGroupArn: text,
  IpPermissions: list(permission),
  IpPermissionsEgress: list(permission),
  Tags: tags,
});

/** Security groups; their rules are beside. */
export const securityGroupOperations: Ec2Operations = {
  CreateSecurityGroup: operation({
    input: struct('CreateSecurityGroupRequest', {
      GroupName: required(text),
      Description: required(as('GroupDescription', text)),
      VpcId: as('VpcId', text),
      TagSpecifications: tagSpecifications,
      DryRun: flag,
    }),
    output: struct('CreateSecurityGroupResult', { GroupId: text, SecurityGroupArn: text, Tags: tags }),
    access: mayCreate('CreateSecurityGroup', 'security-group', ({ VpcId }, network) => [
      ['vpc', VpcId ?? network.defaultVpc?.id],
    ]),
    change: (input, scene, draft) => {
      const { GroupName: name, Description: description } = input;
      checkName(name);
      checkText(description, 'GroupDescription');
      if (input.VpcId === undefined && draft.defaultVpc === undefined)
        throw new AwsError('VPCIdNotSpecified', 'No default VPC for this user');
      const vpc = input.VpcId === undefined ? draft.defaultVpc : draft.get('vpc', input.VpcId);
      if (vpc === undefined) throw notFound('vpc', input.VpcId);
      if (draft.all('security-group').some((one) => one.vpcId === vpc.id && one.name === name))
        throw new AwsError('InvalidGroup.Duplicate', `The security group '${name}' already exists for VPC '${vpc.id}'`);
      const group: SecurityGroupRecord = {
        id: draft.newId('security-group', ''),
        vpcId: vpc.id,
        name,
        description,
        tags: tagsFor('security-group', input.TagSpecifications),
      };
      draft.put('security-group', group);
      draft.put('security-group-rule', allOut(group.id, draft.newId('security-group-rule', '')));
      return { GroupId: group.id, SecurityGroupArn: arn(scene, 'security-group', group.id), Tags: tagList(group.tags) };
    },
  }),
  DescribeSecurityGroups: describeNoun('security-group', {
    action: 'DescribeSecurityGroups',
    ids: 'GroupIds',
    result: ['SecurityGroups', 'securityGroupInfo'],
    shape: groupShape,
    further: { GroupNames: as('GroupName', texts) },
    narrow: (input, groups, network) => {
      const { GroupNames: names = [] } = input as { readonly GroupNames?: readonly string[] };
      if (names.length === 0) return groups;
      // By name groups of the default VPC are meant, as in EC2.
      const vpcId = network.defaultVpc?.id ?? '';
      return names.map((name) => groupIn(network, vpcId, undefined, name));
    },
    filters: (network, { account }) => ({
      'group-id': ({ id }) => id,
      'group-name': ({ name }) => name,
      description: ({ description }) => description,
      'vpc-id': ({ vpcId }) => vpcId,
      'owner-id': () => account,
      ...ruleFilters(network, 'ip-permission', false),
      ...ruleFilters(network, 'egress.ip-permission', true),
    }),
    view: (scene, network) => (group) => viewGroup(scene, network, group),
  }),
  DeleteSecurityGroup: operation({
    input: struct('DeleteSecurityGroupRequest', { GroupId: text, GroupName: text, DryRun: flag }),
    output: struct('DeleteSecurityGroupResult', { Return: flag, GroupId: text }),
    access: mayOn('DeleteSecurityGroup', (input, network) => [['security-group', groupId(network, input)]]),
    change: async (input, _scene, draft) => {
      const group = find(draft, 'security-group', groupId(draft, input));
      if (group.name === 'default')
        throw new AwsError(
          'CannotDelete',
          `the specified group: "${group.id}" name: "default" cannot be deleted by a user`,
        );
      const referring = draft
        .all('security-group-rule')
        .find(({ groupId: of, peer }) => of !== group.id && 'group' in peer && peer.group === group.id);
      if (referring !== undefined)
        throw dependency(
          `resource ${group.id} has a dependent object: the rule ${referring.id} of ${referring.groupId}`,
        );
      if (!(await draft.hasNoMembers(group.id))) throw dependency(`resource ${group.id} has a dependent object`);
      for (const { id } of draft.rulesOf(group.id)) draft.remove('security-group-rule', id);
      draft.remove('security-group', group.id);
      return { Return: true, GroupId: group.id };
    },
  }),
};

/** The group that a request names by its id, or, in the default VPC, by its name. */
export const groupId = (
  network: Network,
  { GroupId: id, GroupName: name }: { readonly GroupId?: string | undefined; readonly GroupName?: string | undefined },
): string | undefined =>
  id ??
  network.all('security-group').find((one) => one.vpcId === network.defaultVpc?.id && one.name === name)?.id ??
  name;

function checkName(name: string): void {
  if (name === 'default')
    throw new AwsError('InvalidParameterValue', 'Cannot use reserved security group name: default');
  if (name.startsWith('sg-')) throw invalidValue(name, 'groupName', 'Group names may not be in the format sg-*');
  checkText(name, 'GroupName');
}

function checkText(given: string, parameter: string): void {
  if (given === '' || given.length > 255 || !/^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]*$/.test(given))
    throw invalidValue(given, parameter, 'Use 1 to 255 of a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*');
}

/** `ip-permission.…` and `egress.ip-permission.…`. */
function ruleFilters(network: Network, prefix: string, egress: boolean) {
  const of = (group: SecurityGroupRecord) => network.rulesOf(group.id).filter((rule) => rule.egress === egress);
  return {
    [`${prefix}.protocol`]: (group: SecurityGroupRecord) => of(group).map(({ protocol }) => protocol),
    [`${prefix}.from-port`]: (group: SecurityGroupRecord) => of(group).map(({ from }) => from),
    [`${prefix}.to-port`]: (group: SecurityGroupRecord) => of(group).map(({ to }) => to),
    [`${prefix}.cidr`]: (group: SecurityGroupRecord) =>
      of(group).flatMap(({ peer }) => ('cidr' in peer ? [peer.cidr] : [])),
    [`${prefix}.ipv6-cidr`]: (group: SecurityGroupRecord) =>
      of(group).flatMap(({ peer }) => ('cidr6' in peer ? [peer.cidr6] : [])),
    [`${prefix}.group-id`]: (group: SecurityGroupRecord) =>
      of(group).flatMap(({ peer }) => ('group' in peer ? [peer.group] : [])),
    [`${prefix}.group-name`]: (group: SecurityGroupRecord) =>
      of(group).flatMap(({ peer }) => ('group' in peer ? [network.get('security-group', peer.group)?.name] : [])),
  };
}

function viewGroup(scene: Scene, network: Network, group: SecurityGroupRecord): Of<typeof groupShape> {
  const rules = network.rulesOf(group.id);
  return {
    GroupId: group.id,
    GroupName: group.name,
    Description: group.description,
    OwnerId: scene.account,
    VpcId: group.vpcId,
    SecurityGroupArn: arn(scene, 'security-group', group.id),
    IpPermissions: permissionsOf(
      network,
      rules.filter(({ egress }) => !egress),
    ),
    IpPermissionsEgress: permissionsOf(
      network,
      rules.filter(({ egress }) => egress),
    ),
    Tags: tagList(group.tags),
  };
}
