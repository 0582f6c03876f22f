import { expect, test } from 'vitest';
import { denialReport, explainDenial } from './denial.ts';

const denial = {
  requestId: '0b9c6f0e-8f1c-4a54-9f43-1f0a3a0d6f0b',
  time: '2026-11-30T12:00:00.000Z',
  service: 'ecr',
  operation: 'CreateRepository',
  via: 'sigv4',
  principal: 'arn:aws:iam::000000000000:user/ci',
  sourceIp: '10.0.0.7',
  action: 'ecr:CreateRepository',
  resources: ['arn:aws:ecr:us-east-1:000000000000:repository/web'],
  resourcesLeftOut: 3,
  statementsLeftOut: 0,
  reason: 'an explicit deny in an identity-based policy',
  explanations: [
    {
      principal: 'arn:aws:iam::000000000000:user/ci',
      action: 'ecr:CreateRepository',
      resource: 'arn:aws:ecr:us-east-1:000000000000:repository/web',
      allowed: false,
      outcome: 'explicitDeny' as const,
      reason: 'an explicit deny in an identity-based policy',
      layer: 'identity' as const,
      decidedBy: { policy: 'inline:own', statement: 'No' },
      considered: [{ layer: 'identity', policy: 'inline:own' }],
      statements: [
        {
          layer: 'identity' as const,
          policy: 'inline:own',
          statement: 'No',
          index: 0,
          effect: 'Deny' as const,
          matched: true,
        },
      ],
      missingKeys: [],
    },
  ],
};

test('a refusal is told with who, what, where it came from, and the statement that decided', () => {
  const told = denialReport(denial);
  expect(told.split('\n').slice(0, 2)).toEqual([
    '2026-11-30T12:00:00.000Z  ecr:CreateRepository  by arn:aws:iam::000000000000:user/ci from 10.0.0.7 (sigv4)',
    'refused ecr:CreateRepository on arn:aws:ecr:us-east-1:000000000000:repository/web and 3 more: an explicit deny in an identity-based policy',
  ]);
  expect(told).toContain('decided by statement No of inline:own');
  expect(told).toContain('✗ No  denies it');
  expect(
    denialReport({ ...denial, explanations: [], resources: [], resourcesLeftOut: 0, statementsLeftOut: 0 }).split('\n'),
  ).toHaveLength(2);
});

test.each(['', 'nothing', '../../x', `${denial.requestId}x`])(
  '%j is no id, and the server is not asked',
  async (id) => {
    await expect(explainDenial(id, { output: 'text' })).rejects.toThrow('x-amzn-requestid');
  },
);
