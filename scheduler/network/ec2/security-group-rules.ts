import { AwsError } from '@slipway/auth/contract';
import { requestTags, tagsAsSent } from '@slipway/auth/kit';

import type { Network, RulePeer, SecurityGroupRecord, SecurityGroupRuleRecord, Tags } from '../records/index.ts';

import { invalidCombination, invalidValue, missingParameter } from './errors.ts';
import { describeNoun, find, notFound, tagList, tagsFor } from './noun.ts';
import {
  arn,
  type Ec2Operation,
  type Ec2Operations,
  may,
  mayOn,
  operation,
  reference,
  type Scene,
} from './operation.ts';
import {
  checkedCidr,
  checkedCidr6,
  checkedDescription,
  groupIn,
  identity,
  noPrefixLists,
  type Permission,
  permission,
  type RuleBody,
  rulesFrom,
  trafficOf,
} from './permissions.ts';
import { groupId } from './security-groups.ts';
import { as, flag, list, number, type Of, required, struct, tags, tagSpecifications, text, texts } from './shapes.ts';

/** As EC2's highest quota: so many rules of a group in each direction. */
const mostRules = 1000;

const ruleShape = struct('SecurityGroupRule', {
  SecurityGroupRuleId: text,
  SecurityGroupRuleArn: text,
  GroupId: text,
  GroupOwnerId: text,
  IsEgress: flag,
  IpProtocol: text,
  FromPort: number,
  ToPort: number,
  CidrIpv4: text,
  CidrIpv6: text,
  PrefixListId: text,
  ReferencedGroupInfo: struct('ReferencedSecurityGroup', { GroupId: text, UserId: text, VpcId: text }),
  Description: text,
  Tags: tags,
});

const revokedShape = struct('RevokedSecurityGroupRule', {
  SecurityGroupRuleId: text,
  GroupId: text,
  IsEgress: flag,
  IpProtocol: text,
  FromPort: number,
  ToPort: number,
  CidrIpv4: text,
  CidrIpv6: text,
  PrefixListId: text,
  ReferencedGroupId: text,
  Description: text,
});

/** One rule given by members of the request itself, as in the days before lists of permissions. */
const single = {
  GroupId: text,
  IpPermissions: list(permission),
  IpProtocol: text,
  FromPort: number,
  ToPort: number,
  CidrIp: text,
  SourceSecurityGroupName: text,
  SourceSecurityGroupOwnerId: text,
} as const;

/** Groups of the default VPC have names as well, but not where it is about egress. */
const byName = { GroupName: text } as const;
const authorizeMembers = { ...single, TagSpecifications: tagSpecifications, DryRun: flag } as const;
const revokeMembers = { ...single, SecurityGroupRuleIds: as('SecurityGroupRuleId', texts), DryRun: flag } as const;
const authorizeInput = struct('AuthorizeSecurityGroupIngressRequest', { ...authorizeMembers, ...byName });
const revokeInput = struct('RevokeSecurityGroupIngressRequest', { ...revokeMembers, ...byName });
const descriptionsInput = struct('UpdateSecurityGroupRuleDescriptionsRequest', {
  GroupId: text,
  GroupName: text,
  IpPermissions: list(permission),
  SecurityGroupRuleDescriptions: as(
    'SecurityGroupRuleDescription',
    list(struct('SecurityGroupRuleDescription', { SecurityGroupRuleId: text, Description: text })),
  ),
  DryRun: flag,
});
const done = struct('Done', { Return: flag });

/** The rules of security groups. */
export const securityGroupRuleOperations: Ec2Operations = {
  AuthorizeSecurityGroupIngress: authorize('AuthorizeSecurityGroupIngress', false),
  AuthorizeSecurityGroupEgress: authorize('AuthorizeSecurityGroupEgress', true),
  RevokeSecurityGroupIngress: revoke('RevokeSecurityGroupIngress', false),
  RevokeSecurityGroupEgress: revoke('RevokeSecurityGroupEgress', true),
  UpdateSecurityGroupRuleDescriptionsIngress: describeRules('UpdateSecurityGroupRuleDescriptionsIngress', false),
  UpdateSecurityGroupRuleDescriptionsEgress: describeRules('UpdateSecurityGroupRuleDescriptionsEgress', true),
  DescribeSecurityGroupRules: describeNoun('security-group-rule', {
    action: 'DescribeSecurityGroupRules',
    ids: 'SecurityGroupRuleIds',
    result: ['SecurityGroupRules', 'securityGroupRuleSet'],
    shape: ruleShape,
    filters: () => ({
      'group-id': (rule) => rule.groupId,
      'security-group-rule-id': ({ id }) => id,
    }),
    view: (scene, network) => (rule) => viewRule(scene, network, rule),
  }),
  ModifySecurityGroupRules: operation({
    input: struct('ModifySecurityGroupRulesRequest', {
      GroupId: required(text),
      SecurityGroupRules: required(
        as(
          'SecurityGroupRule',
          list(
            struct('SecurityGroupRuleUpdate', {
              SecurityGroupRuleId: text,
              SecurityGroupRule: struct('SecurityGroupRuleRequest', {
                IpProtocol: text,
                FromPort: number,
                ToPort: number,
                CidrIpv4: text,
                CidrIpv6: text,
                PrefixListId: text,
                ReferencedGroupId: text,
                Description: text,
              }),
            }),
          ),
        ),
      ),
      DryRun: flag,
    }),
    output: done,
    access: mayOn('ModifySecurityGroupRules', ({ GroupId }) => [['security-group', GroupId]]),
    change: (input, _scene, draft) => {
      const group = find(draft, 'security-group', input.GroupId);
      for (const { SecurityGroupRuleId: id, SecurityGroupRule: given = {} } of input.SecurityGroupRules) {
        const before = draft.get('security-group-rule', id);
        if (before === undefined) throw notFound('security-group-rule', id);
        if (before.groupId !== group.id)
          throw invalidValue(before.id, 'SecurityGroupRuleId', `It is not a rule of ${group.id}.`);
        const body: RuleBody = {
          ...trafficOf(given),
          peer: peerOf(draft, group, given),
          ...described(given.Description ?? before.description),
        };
        const { groupId: of, egress, tags: kept } = before;
        const others = draft.rulesOf(group.id).filter((rule) => rule.egress === egress && rule.id !== before.id);
        if (others.some((rule) => identity(rule) === identity(body))) throw duplicate(body);
        draft.put('security-group-rule', { id: before.id, groupId: of, egress, tags: kept, ...body });
      }
      return { Return: true };
    },
  }),
};

function authorize(action: string, egress: boolean): Ec2Operation {
  return operation({
    input: egress ? struct('AuthorizeSecurityGroupEgressRequest', authorizeMembers) : authorizeInput,
    output: struct('AuthorizeSecurityGroupResult', {
      Return: flag,
      SecurityGroupRules: as('securityGroupRuleSet', list(ruleShape)),
    }),
    access: (input, scene, network) => {
      const group = groupId(network, input) ?? '*';
      const request = (input.TagSpecifications ?? []).flatMap(({ Tags = [] }) => Tags);
      const given = requestTags(tagsAsSent(request));
      const vpcId = network.get('security-group', group)?.vpcId;
      const context = vpcId === undefined ? given : { ...given, 'ec2:Vpc': arn(scene, 'vpc', vpcId) };
      const rule = { arn: arn(scene, 'security-group-rule', '*') };
      return [
        may(scene, action, [reference(scene, network, 'security-group', group)], context),
        ...(request.length === 0 ? [] : [may(scene, 'CreateTags', [rule], { ...given, 'ec2:CreateAction': action })]),
      ];
    },
    change: (input, scene, draft) => {
      const group = find(draft, 'security-group', groupId(draft, input));
      const given: Tags = tagsFor('security-group-rule', input.TagSpecifications);
      const present = byIdentity(draft, group, egress);
      const added = rulesFrom(draft, group, permissionsIn(input)).map((body): SecurityGroupRuleRecord => {
        const id = draft.newId('security-group-rule', '');
        return { id, groupId: group.id, egress, tags: given, ...body };
      });
      if (present.size + added.length > mostRules)
        throw new AwsError(
          'RulesPerSecurityGroupLimitExceeded',
          `The maximum number of rules per security group has been reached: ${mostRules} in each direction.`,
        );
      for (const rule of added) {
        if (present.has(identity(rule))) throw duplicate(rule);
        present.set(identity(rule), rule);
        draft.put('security-group-rule', rule);
      }
      return { Return: true, SecurityGroupRules: added.map((rule) => viewRule(scene, draft, rule)) };
    },
  });
}

function revoke(action: string, egress: boolean): Ec2Operation {
  return operation({
    input: egress ? struct('RevokeSecurityGroupEgressRequest', revokeMembers) : revokeInput,
    output: struct('RevokeSecurityGroupResult', {
      Return: flag,
      RevokedSecurityGroupRules: as('revokedSecurityGroupRuleSet', list(revokedShape)),
    }),
    access: mayOn(action, (input, network) => [['security-group', groupId(network, input)]]),
    change: (input, _scene, draft) => {
      const group = find(draft, 'security-group', groupId(draft, input));
      const { SecurityGroupRuleIds: ids = [] } = input;
      const present = byIdentity(draft, group, egress);
      const gone =
        ids.length > 0
          ? ids.map((id) => ruleOf(draft, group, egress, id))
          : rulesFrom(draft, group, permissionsIn(input)).map(
              (body) => present.get(identity(body)) ?? missingPermission(),
            );
      for (const { id } of gone) draft.remove('security-group-rule', id);
      return { Return: true, RevokedSecurityGroupRules: gone.map(viewRevoked) };
    },
  });
}

/** Descriptions of rules that are there; without one, a rule loses its own. */
function describeRules(action: string, egress: boolean): Ec2Operation {
  return operation({
    input: descriptionsInput,
    output: done,
    access: mayOn(action, (input, network) => [['security-group', groupId(network, input)]]),
    change: (input, _scene, draft) => {
      const group = find(draft, 'security-group', groupId(draft, input));
      const { SecurityGroupRuleDescriptions: byId = [], IpPermissions: permissions = [] } = input;
      if (byId.length > 0 === permissions.length > 0)
        throw invalidCombination('Give either IpPermissions or SecurityGroupRuleDescriptions.');
      const present = byIdentity(draft, group, egress);
      const changes = [
        ...byId.map(
          ({ SecurityGroupRuleId: id, Description: words }) => [ruleOf(draft, group, egress, id), words] as const,
        ),
        ...rulesFrom(draft, group, permissions).map(
          (body) => [present.get(identity(body)) ?? missingPermission(), body.description] as const,
        ),
      ];
      for (const [{ description: _before, ...rule }, words] of changes)
        draft.put('security-group-rule', { ...rule, ...described(words) });
      return { Return: true };
    },
  });
}

/** What a request is about: its list of permissions, or the one that its own members say. */
function permissionsIn(input: Of<typeof authorizeInput> | Of<typeof revokeInput>): readonly Permission[] {
  const { IpPermissions: given = [], SourceSecurityGroupName: source, CidrIp: cidr, IpProtocol: protocol } = input;
  const alone = protocol !== undefined || cidr !== undefined || source !== undefined;
  if (given.length > 0 && alone)
    throw invalidCombination('The parameter ipPermissions may not be used with the parameters of a single rule.');
  if (given.length > 0) return given;
  if (!alone) throw missingParameter('IpPermissions');
  return [
    {
      // A group alone means everything of it.
      IpProtocol: protocol ?? (source === undefined ? undefined : '-1'),
      FromPort: input.FromPort,
      ToPort: input.ToPort,
      ...(cidr === undefined ? {} : { IpRanges: [{ CidrIp: cidr }] }),
      ...(source === undefined
        ? {}
        : { UserIdGroupPairs: [{ GroupName: source, UserId: input.SourceSecurityGroupOwnerId }] }),
    },
  ];
}

function peerOf(
  network: Network,
  group: SecurityGroupRecord,
  given: {
    readonly CidrIpv4?: string | undefined;
    readonly CidrIpv6?: string | undefined;
    readonly PrefixListId?: string | undefined;
    readonly ReferencedGroupId?: string | undefined;
  },
): RulePeer {
  const { CidrIpv4: cidr, CidrIpv6: cidr6, PrefixListId: prefixList, ReferencedGroupId: other } = given;
  if ([cidr, cidr6, prefixList, other].filter((one) => one !== undefined).length !== 1)
    throw invalidCombination('A rule has exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId.');
  if (prefixList !== undefined) throw noPrefixLists(prefixList);
  if (cidr !== undefined) return { cidr: checkedCidr(cidr) };
  if (cidr6 !== undefined) return { cidr6: checkedCidr6(cidr6) };
  return { group: groupIn(network, group.vpcId, other, undefined).id };
}

/** A rule of a group and a direction. @throws InvalidSecurityGroupRuleId.NotFound */
function ruleOf(
  network: Network,
  group: SecurityGroupRecord,
  egress: boolean,
  id: string | undefined,
): SecurityGroupRuleRecord {
  const rule = network.get('security-group-rule', id);
  if (rule?.groupId !== group.id || rule.egress !== egress) throw notFound('security-group-rule', id);
  return rule;
}

const byIdentity = (network: Network, group: SecurityGroupRecord, egress: boolean) =>
  new Map(
    network
      .rulesOf(group.id)
      .filter((rule) => rule.egress === egress)
      .map((rule) => [identity(rule), rule]),
  );

const described = (words: string | undefined): Pick<RuleBody, 'description'> =>
  words === undefined || words === '' ? {} : { description: checkedDescription(words) };

function duplicate(body: RuleBody): AwsError {
  const [peer] = Object.values(body.peer) as [string];
  const traffic =
    body.from === undefined ? 'ALL' : `${body.protocol.toUpperCase()}, from port: ${body.from}, to port: ${body.to}`;
  return new AwsError(
    'InvalidPermission.Duplicate',
    `the specified rule "peer: ${peer}, ${traffic}, ALLOW" already exists`,
  );
}

function missingPermission(): never {
  throw new AwsError('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
}

/** Protocol and ports as rules show them: without ports -1 stands there. */
const viewTraffic = ({ protocol, from = -1, to = -1 }: SecurityGroupRuleRecord) => ({
  IpProtocol: protocol,
  FromPort: from,
  ToPort: to,
});

const viewRange = ({ peer, description }: SecurityGroupRuleRecord) => ({
  ...('cidr' in peer ? { CidrIpv4: peer.cidr } : {}),
  ...('cidr6' in peer ? { CidrIpv6: peer.cidr6 } : {}),
  ...(description === undefined ? {} : { Description: description }),
});

const viewRule = (scene: Scene, network: Network, rule: SecurityGroupRuleRecord): Of<typeof ruleShape> => ({
  SecurityGroupRuleId: rule.id,
  SecurityGroupRuleArn: arn(scene, 'security-group-rule', rule.id),
  GroupId: rule.groupId,
  GroupOwnerId: network.account,
  IsEgress: rule.egress,
  ...viewTraffic(rule),
  ...viewRange(rule),
  ...('group' in rule.peer ? { ReferencedGroupInfo: { GroupId: rule.peer.group, UserId: network.account } } : {}),
  Tags: tagList(rule.tags),
});

const viewRevoked = (rule: SecurityGroupRuleRecord): Of<typeof revokedShape> => ({
  SecurityGroupRuleId: rule.id,
  GroupId: rule.groupId,
  IsEgress: rule.egress,
  ...viewTraffic(rule),
  ...viewRange(rule),
  ...('group' in rule.peer ? { ReferencedGroupId: rule.peer.group } : {}),
});
