import { AwsError, type Principal } from '../contract/index.ts';
import {
  compiledPolicy,
  contextOf,
  evaluate,
  MalformedPolicy,
  parsePolicy,
  type PolicyPrincipal,
} from '../policy/index.ts';
import type { Accounts } from './accounts.ts';
import { parseIdentityArn, roleArn, sessionArn } from './arns.ts';
import { accountOfResource } from './resources.ts';
import type { RoleEntity, SessionEntity } from './entities.ts';
import { keys } from './keys.ts';
import { sessionPrincipal } from './credentials.ts';
import type { Sessions, TemporaryCredentials } from './sessions.ts';

export interface SessionRequest {
  readonly roleArn: string;
  /** 2 to 64 of `[\w+=,.@-]`; ECS uses the task id. */
  readonly sessionName: string;
  /** The service that takes the role on, e.g. `ecs-tasks.amazonaws.com`; the role's trust policy must let it. */
  readonly service: string;
  /** What the service does it for, offered to the trust policy as `aws:SourceArn` and, by its account, `aws:SourceAccount`. */
  readonly sourceArn?: string;
  /** An inline session policy, which can only narrow what the role may do. */
  readonly policy?: string;
  /** 900 to 43200. Default 3600. */
  readonly durationSeconds?: number;
}

export interface IssuedSession extends TemporaryCredentials {
  readonly principal: Principal;
  /** The role as it was found, with its path. */
  readonly roleArn: string;
}

/**
 * Takes on a role for a part of Slipway that acts as an AWS service: task roles, execution roles, the container agent.
 * Role sessions for services are not limited to the role's maximum session duration, as on AWS.
 * @throws AwsError `NoSuchEntityException` without the role, `AccessDenied` when its trust policy does not let the service in,
 * `ValidationError` and `MalformedPolicyDocumentException` for bad input
 */
export async function issueServiceSession(
  accounts: Accounts,
  sessions: Sessions,
  request: SessionRequest,
): Promise<IssuedSession> {
  const { sessionName, service, policy } = request;
  const duration = request.durationSeconds ?? 3600;
  if (!/^[\w+=,.@-]{2,64}$/.test(sessionName)) {
    throw new AwsError('ValidationError', `The session name "${sessionName}" is not 2 to 64 characters of [\\w+=,.@-]`);
  }
  if (!Number.isInteger(duration) || duration < 900 || duration > 43_200) {
    throw new AwsError('ValidationError', 'A session lasts 900 to 43200 seconds');
  }
  if (policy !== undefined) checkSessionPolicy(policy);
  const { account, role } = await findRole(accounts, request.roleArn);
  const arn = roleArn(account, role);
  const decision = evaluate(
    { identity: [] },
    {
      principal: servicePrincipal(service),
      action: 'sts:AssumeRole',
      resource: arn,
      resourceAccount: account,
      resourcePolicies: [{ name: `resource:${arn}`, policy: compiledPolicy(role.trust, 'trust') }],
      trust: true,
      context: contextOf({
        'aws:PrincipalIsAWSService': 'true',
        'aws:PrincipalServiceName': service,
        'aws:SourceArn': request.sourceArn,
        'aws:SourceAccount': request.sourceArn === undefined ? account : accountOfResource(request.sourceArn),
      }),
    },
  );
  if (!decision.allowed) {
    throw new AwsError('AccessDenied', `${service} cannot take on ${arn}: ${decision.reason}`, { status: 403 });
  }
  const draft = {
    kind: 'role-session',
    arn: sessionArn(account, role.name, sessionName),
    principalId: `${role.id}:${sessionName}`,
    issuerId: role.id,
    expires: accounts.ports.clock.now() + duration * 1000,
    tags: {},
    transitiveTags: [],
    ...(policy === undefined ? {} : { policies: { inline: policy, managed: [] } }),
  } as const satisfies Omit<SessionEntity, 'accessKeyId' | 'sealed' | 'tokenHash' | 'issued'>;
  const credentials = await sessions.issue(account, draft);
  const principal = sessionPrincipal(account, { ...draft, ...credentials });
  return { ...credentials, principal, roleArn: arn };
}

export const servicePrincipal = (service: string): PolicyPrincipal => ({
  type: 'service',
  account: '',
  arn: service,
  id: service,
});

async function findRole(accounts: Accounts, arn: string): Promise<{ account: string; role: RoleEntity }> {
  const parsed = parseIdentityArn(arn);
  const account = parsed?.account ?? '';
  const mirror = parsed?.type === 'role' ? await accounts.mirror(account) : undefined;
  if (mirror !== undefined && mirror.get(keys.role(parsed?.name ?? '')) === undefined) await mirror.verify();
  const role = mirror?.get(keys.role(parsed?.name ?? ''));
  if (role === undefined || roleArn(account, role) !== arn) {
    throw new AwsError('NoSuchEntityException', `The role ${arn} cannot be found.`, { status: 404 });
  }
  return { account, role };
}

/** @throws AwsError when the text is not a policy that a session can carry */
export function checkSessionPolicy(text: string): void {
  if (text.length > 2048) throw new AwsError('ValidationError', 'The session policy is longer than 2048 characters');
  try {
    parsePolicy(text, 'identity');
  } catch (error) {
    if (!(error instanceof MalformedPolicy)) throw error;
    throw new AwsError('MalformedPolicyDocumentException', error.message, { cause: error });
  }
}
