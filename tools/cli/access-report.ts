import type { AccessExplanation, PolicyLayer, StatementFinding } from '@slipway/auth/identity';
import { styleText } from 'node:util';

/** What a layer is called, and how people change one. */
const layers: Readonly<Record<PolicyLayer, string>> = {
  identity: 'identity-based policy',
  boundary: 'permissions boundary',
  session: 'session policy',
  resource: 'resource-based policy',
  trust: 'role trust policy',
  restriction: 'token scope',
};

/** An explanation for people: the answer, every policy that was looked at with what its statements said, and what would change it. */
export function accessReport(explanation: AccessExplanation): string {
  const { principal, action, resource, allowed, outcome, reason, decidedBy } = explanation;
  const lines = [
    `${styleText('bold', principal)} ${allowed ? 'may' : styleText('bold', 'may not')} ${action} on ${resource}`,
    `${outcome === 'explicitDeny' ? 'with' : 'because'} ${reason}`,
    ...(decidedBy === undefined ? [] : [`decided by statement ${decidedBy.statement} of ${decidedBy.policy}`]),
    '',
    ...(explanation.considered.length === 0 ? ['No policy applies.'] : policies(explanation)),
  ];
  const advice = allowed ? [] : whatToDo(explanation);
  if (advice.length > 0)
    lines.push('', styleText('bold', 'What would change it'), ...advice.map((line) => `  ${line}`));
  if (explanation.missingKeys.length > 0) {
    lines.push(
      '',
      `Statements about this ask for condition keys that the request does not have: ${explanation.missingKeys.join(', ')} (try --context key=value)`,
    );
  }
  return lines.join('\n');
}

/** Every policy with the statements that come near the request; the others are counted. */
function policies({ considered, statements }: AccessExplanation): string[] {
  return considered.flatMap(({ layer, policy }) => {
    const own = statements.filter((statement) => statement.layer === layer && statement.policy === policy);
    const near = own.filter(({ missed }) => missed !== 'action');
    const others = own.length - near.length;
    const width = Math.max(0, ...near.map(({ statement }) => statement.length));
    return [
      `${layers[layer as PolicyLayer]}  ${policy}`,
      ...near.map((statement) => `  ${mark(statement)} ${statement.statement.padEnd(width)}  ${told(statement)}`),
      ...(others === 0 ? [] : [`    ${others} statement${others === 1 ? ' is' : 's are'} about other actions`]),
    ];
  });
}

const mark = ({ matched, effect }: StatementFinding): string => (matched ? (effect === 'Deny' ? '✗' : '✓') : '·');

function told({ effect, matched, because }: StatementFinding): string {
  if (matched) return effect === 'Deny' ? 'denies it' : 'allows it';
  return `${effect === 'Deny' ? 'would deny' : 'would allow'}, but ${because ?? ''}`;
}

function whatToDo(explanation: AccessExplanation): string[] {
  const { outcome, layer, decidedBy, statements, considered } = explanation;
  if (layer === undefined) return [];
  if (outcome === 'explicitDeny') {
    return [
      `Nothing allows what a Deny forbids: change statement ${decidedBy?.statement ?? ''} of ${decidedBy?.policy ?? ''}, or do what its conditions spare.`,
    ];
  }
  const close = statements
    .filter(
      (statement) => statement.layer === layer && statement.effect === 'Allow' && statement.missed === 'condition',
    )
    .map(({ statement, policy }) => `Meet the condition of statement ${statement} of ${policy}; or`);
  const named = considered
    .filter((policy) => policy.layer === layer)
    .map(({ policy }) => policy.replace(/^\w+:(?=arn:)/, ''));
  return [...close, ...remedy(explanation, layer, named)];
}

function remedy(
  { principal, action, resource }: AccessExplanation,
  layer: PolicyLayer,
  named: readonly string[],
): string[] {
  const statement = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"${action}","Resource":"${resource}"}]}`;
  const name = `allow-${action.replace(/^.*:/, '')}`;
  switch (layer) {
    case 'identity': {
      const [, kind, who] = /:(user|role|assumed-role)\/(?:.*\/)?([^/]+)$/.exec(roleOf(principal)) ?? [];
      if (who === undefined) return [`Allow ${action} on this resource in a policy of ${principal}.`];
      const entity = kind === 'user' ? 'user' : 'role';
      return [
        `Allow it in a policy of the ${entity}, for instance:`,
        `  aws iam put-${entity}-policy --${entity}-name ${who} --policy-name ${name} --policy-document '${statement}'`,
      ];
    }
    case 'boundary':
      return [
        `The boundary limits whatever other policies allow: let ${named.join(' and ')} allow ${action} as well, or take the boundary away.`,
      ];
    case 'session':
      return [
        `The credentials were made with a session policy, which limits them for as long as they live: make others with a session policy that allows ${action}, or without one.`,
      ];
    case 'resource':
      return [
        named.length === 0
          ? `The resource has no policy of its own. Callers of other accounts, and those without credentials, need one that names them and allows ${action}${action.startsWith('ecr:') ? ' (aws ecr set-repository-policy)' : ''}.`
          : `The resource's own policy must name ${principal} and allow ${action} as well; callers of other accounts always need that.`,
      ];
    case 'trust':
      return [
        `The role's trust policy must name ${principal} (or its account) and allow ${action}: aws iam update-assume-role-policy --role-name ${resource.replace(/^.*\//, '')} --policy-document …`,
      ];
    case 'restriction':
      return ['The token was made for less than this: log in again, or ask /token for the scope.'];
  }
}

/** A session's policies are its role's. */
const roleOf = (arn: string): string => arn.replace(/:assumed-role\/([^/]+)\/.*$/, ':assumed-role/$1');
