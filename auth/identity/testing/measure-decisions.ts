import { AttachUserPolicyCommand, CreatePolicyCommand, CreateUserCommand } from '@aws-sdk/client-iam';
import { compilePolicy, contextOf, evaluate, parsePolicy } from '../../policy/index.ts';
import type { Principal } from '../../contract/index.ts';
import { ACCOUNT, callOf, openInstallation, REGION } from './installation.ts';

// Prints policy decisions per second on one core, for a user with 10 managed policies of 10 statements: remembered, evaluated
// anew, and with the documents parsed and compiled first.  Run: slipway-node auth/identity/testing/measure-decisions.ts

const statements = (policy: number) =>
  Array.from({ length: 10 }, (_, index) => ({
    Effect: 'Allow',
    Action: ['ecr:BatchGetImage', `ecs:Describe${index}*`],
    Resource: `arn:aws:ecr:*:${ACCOUNT}:repository/team-${policy}/service-${index}/*`,
    Condition: { StringLike: { 'aws:PrincipalArn': `arn:aws:iam::${ACCOUNT}:user/*` } },
  }));
const documents = Array.from({ length: 10 }, (_, policy) =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements(policy) }),
);
const arns = Array.from(
  { length: 100 },
  (_, index) => `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/team-9/service-${index % 10}/image-${index}`,
);

async function rate(what: string, seconds: number, work: (index: number) => unknown): Promise<void> {
  for (let index = 0; index < 1000; index++) await work(index);
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < seconds * 1000) for (let round = 0; round < 100; round++) await work(count++);
  const perSecond = (count / (performance.now() - start)) * 1000;
  process.stdout.write(`${what.padEnd(28)} ${Math.round(perSecond).toLocaleString('en-US').padStart(12)}/s\n`);
}

await using installation = await openInstallation();
const iam = installation.iam();
const { User } = await iam.send(new CreateUserCommand({ UserName: 'measured' }));
for (const [index, PolicyDocument] of documents.entries()) {
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: `p${index}`, PolicyDocument }));
  await iam.send(new AttachUserPolicyCommand({ UserName: 'measured', PolicyArn: Policy?.Arn }));
}
const principal: Principal = { type: 'user', account: ACCOUNT, arn: User?.Arn ?? '', id: User?.UserId ?? '' };
const call = callOf();
const { authorizer } = installation.identity;
const ask = (arn: string) =>
  authorizer.authorize(principal, { action: 'ecr:BatchGetImage', resources: [{ arn }] }, call);
if (!(await ask(arns[0] as string)).allowed) throw new Error('the measured decision is not the intended one');

const set = () => ({
  identity: documents.map((text, index) => ({
    name: `p${index}`,
    policy: compilePolicy(parsePolicy(text, 'identity')),
  })),
});
const compiled = set();
const context = contextOf({ 'aws:PrincipalArn': principal.arn });
const request = (index: number) => ({
  principal: { type: 'user' as const, account: ACCOUNT, arn: principal.arn, id: principal.id },
  action: 'ecr:BatchGetImage',
  resource: arns[index % arns.length] as string,
  resourceAccount: ACCOUNT,
  resourcePolicies: [],
  context,
});
await rate('remembered', 2, (index) => ask(arns[index % arns.length] as string));
await rate('evaluated', 2, (index) => evaluate(compiled, request(index)));
await rate('parsed, compiled, evaluated', 2, (index) => evaluate(set(), request(index)));
