import { expect, test } from 'vitest';

import {
  compilePolicy,
  contextOf,
  evaluate,
  lintPolicy,
  parsePolicy,
  type PolicyPrincipal,
} from '../../policy/index.ts';
import { awsManagedPolicies } from './index.ts';

const policies = [...awsManagedPolicies.values()];

test('every managed policy is one that may be written, under a name and an id of its own', () => {
  const faulty = policies.flatMap(({ name, document }) =>
    lintPolicy(parsePolicy(document, 'identity')).map((found) => [name, found]),
  );
  // Which is what AWS's own says.
  expect(faulty).toEqual([['PowerUserAccess', 'Statement[0]: NotAction with Allow allows every other action']]);
  expect(policies.filter(({ document }) => document.length > 6144)).toEqual([]);
  expect(new Set(policies.map(({ id }) => id)).size).toBe(policies.length);
  expect(policies.filter(({ id }) => !/^ANPA[A-Z0-9]{17}$/.test(id))).toEqual([]);
});

const account = '000000000000';
const principal: PolicyPrincipal = { type: 'user', account, arn: `arn:aws:iam::${account}:user/pat`, id: 'AIDAX' };
const may = (name: string, action: string, resource = '*'): boolean => {
  const { document } = awsManagedPolicies.get(`arn:aws:iam::aws:policy/${name}`) ?? { document: '' };
  const identity = [{ name, policy: compilePolicy(parsePolicy(document, 'identity')) }];
  const context = contextOf({});
  return evaluate(
    { identity },
    { principal, action, resource, resourceAccount: account, resourcePolicies: [], context },
  ).allowed;
};

test.each([
  ['AmazonSSMManagedInstanceCore', 'ssm:GetParameter', 'ssm:PutParameter'],
  ['AmazonSSMReadOnlyAccess', 'ssm:DescribeParameters', 'ssm:DeleteParameter'],
  ['SecretsManagerReadWrite', 'secretsmanager:GetSecretValue', 'kms:Decrypt'],
  ['AWSKeyManagementServicePowerUser', 'kms:CreateKey', 'kms:ScheduleKeyDeletion'],
  ['CloudWatchAgentServerPolicy', 'logs:PutLogEvents', 'logs:DeleteLogGroup'],
  ['CloudWatchLogsReadOnlyAccess', 'logs:StartLiveTail', 'logs:PutLogEvents'],
  ['CloudWatchReadOnlyAccess', 'cloudwatch:GetMetricData', 'cloudwatch:PutMetricData'],
  ['ElasticLoadBalancingReadOnly', 'elasticloadbalancing:DescribeRules', 'elasticloadbalancing:ModifyRule'],
  ['AWSCertificateManagerReadOnly', 'acm:DescribeCertificate', 'acm:ImportCertificate'],
  ['AutoScalingReadOnlyAccess', 'autoscaling:DescribeAutoScalingGroups', 'autoscaling:SetDesiredCapacity'],
  ['AmazonElasticFileSystemFullAccess', 'elasticfilesystem:CreateAccessPoint', 'elasticfilesystem:ClientMount'],
  [
    'AmazonElasticFileSystemClientReadWriteAccess',
    'elasticfilesystem:ClientWrite',
    'elasticfilesystem:ClientRootAccess',
  ],
  ['AmazonElasticContainerRegistryPublicPowerUser', 'ecr-public:PutImage', 'ecr-public:DeleteRepository'],
  ['AmazonECSInfrastructureRolePolicyForLoadBalancers', 'elasticloadbalancing:DescribeRules', 'ecs:UpdateService'],
])('%s allows %s and not %s', (name, allowed, refused) => {
  expect([may(name, allowed), may(name, refused)]).toEqual([true, false]);
});

test('the role of ECS for load balancers may change rules of application load balancers, and no load balancers', () => {
  const name = 'AmazonECSInfrastructureRolePolicyForLoadBalancers';
  const rule = 'arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/web/1/2/3';
  expect(may(name, 'elasticloadbalancing:ModifyRule', rule)).toBe(true);
  expect(may(name, 'elasticloadbalancing:ModifyRule', rule.replace('/app/', '/net/'))).toBe(false);
  expect(may(name, 'elasticloadbalancing:DeleteLoadBalancer', rule.replace('listener-rule', 'loadbalancer'))).toBe(
    false,
  );
});
