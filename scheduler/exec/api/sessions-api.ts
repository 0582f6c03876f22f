import { type AccessList, AwsError, type Constraints, type Principal } from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  arnOf,
  bindAll,
  type Declared,
  declareOperation,
  refused,
  required,
  type SceneOf,
  schemasOf,
  shapesOf,
  simpleShapes,
} from '@slipway/auth/kit';

import { type RunningSession, type RunningSessions, sessionIdForm, streamUrl } from '../sessions/index.ts';

/** What the operations work with. */
interface SessionsApi {
  readonly region: string;
  readonly running: RunningSessions;
}

const { text, number, time } = simpleShapes;
const { list, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.ssm' });

const unsupported = (what: string, instead: string): AwsError =>
  new AwsError('ValidationException', `${what} is not supported by this installation. ${instead}`);

const operation = <I, O>(declared: Declared<SessionsApi, I, O>): ApiOperation<SessionsApi> =>
  declareOperation({ operationSchema, unsupported }, declared);

/** `ssm:<action>` on a session (service authorization reference, "AWS Systems Manager"). */
const mayOn =
  (action: string) =>
  (input: { readonly SessionId: string }, { region, account }: SceneOf<SessionsApi>): AccessList => [
    {
      action: `ssm:${action}`,
      resources: [{ arn: arnOf({ service: 'ssm', region, account, resource: `session/${input.SessionId}` }) }],
    },
  ];

/** The session of an id, as long as it lasts. @throws DoesNotExistException for what is no session's */
function find(
  { SessionId }: { readonly SessionId: string },
  scene: SceneOf<SessionsApi>,
): Promise<RunningSession | undefined> {
  if (!sessionIdForm.test(SessionId))
    throw new AwsError(
      'DoesNotExistException',
      `There is no session ${SessionId.slice(0, 96)}. Those that are served here are of ecs:ExecuteCommand.`,
    );
  return scene.api.running.find(scene.account, SessionId);
}

const bySession = { SessionId: required(text) } as const;
const session = struct('Session', {
  SessionId: text,
  Target: text,
  Status: text,
  StartDate: time,
  Owner: text,
  AccessType: text,
});

/** What of Systems Manager's API is about sessions of ECS Exec. */
export const sessionOperations: ApiOperations<SessionsApi> = {
  /** For a client whose connection broke. One whose session is over gets no token, as on AWS: the plug-in then ends. */
  ResumeSession: operation({
    input: struct('ResumeSessionRequest', bySession),
    output: struct('ResumeSessionResponse', { SessionId: text, TokenValue: text, StreamUrl: text }),
    access: mayOn('ResumeSession'),
    handle: async (input, scene) => {
      const found = await find(input, scene);
      const { SessionId } = input;
      // A copy that breaks off begins anew.
      if (found === undefined || found.session.copies !== undefined) return { SessionId };
      // What may be typed there goes to a command that somebody began with rights of their own.
      if (!isSame(found.session.principal, scene.call.principal))
        throw new AwsError('AccessDeniedException', 'A session is gone on with by who began it.', { status: 403 });
      const TokenValue = await scene.api.running.resume(found);
      return { SessionId, TokenValue, StreamUrl: streamUrl(scene.call.endpoint, found.ref, SessionId) };
    },
  }),
  TerminateSession: operation({
    input: struct('TerminateSessionRequest', bySession),
    output: struct('TerminateSessionResponse', { SessionId: text }),
    access: mayOn('TerminateSession'),
    handle: async (input, scene) => {
      const found = await find(input, scene);
      if (found !== undefined) await scene.api.running.askEnd(found);
      return { SessionId: input.SessionId };
    },
  }),
  DescribeSessions: operation({
    input: struct('DescribeSessionsRequest', {
      State: required(text),
      MaxResults: number,
      NextToken: refused(text, 'All sessions are in one answer.'),
      Filters: refused(list(struct('SessionFilter', { key: text, value: text })), 'All sessions are in the answer.'),
    }),
    output: struct('DescribeSessionsResponse', { Sessions: list(session), NextToken: text }),
    access: (_, { region, account }) => [
      {
        action: 'ssm:DescribeSessions',
        resources: [{ arn: arnOf({ service: 'ssm', region, account, resource: '*' }) }],
      },
    ],
    handle: async ({ State }, { api, account }) => {
      if (State !== 'Active')
        throw unsupported('A list of sessions that are over', 'They are in the audit log, and in log groups.');
      const found = await api.running.list(account);
      return { Sessions: found.map(described) };
    },
  }),
};

/**
 * Whether who asks is who began a session. Names of sessions of roles are whatever whoever takes a role says: several people may have the same,
 * and what tells them apart are the keys that each of them got.
 */
const isSame = (one: Principal, other: Principal): boolean =>
  one.type === other.type &&
  one.id === other.id &&
  one.arn === other.arn &&
  (['root', 'user'].includes(one.type) || one.accessKeyId === other.accessKeyId);

const described = ({ ref, session: of }: RunningSession) => ({
  SessionId: of.id,
  Target: `ecs:${ref.cluster}_${of.taskId}_${of.runtimeId}`,
  Status: 'Connected',
  StartDate: new Date(of.createdAt),
  Owner: of.principal.arn,
  AccessType: 'Standard',
});

/** Lengths, ranges and enumerations (Systems Manager API reference). */
const sessionConstraints: Constraints = {
  SessionId: { min: 1, max: 96 },
  State: { values: ['Active', 'History'] },
  'DescribeSessionsRequest.MaxResults': { min: 1, max: 200, integer: true },
};

/** The schemas of the operations, in the place of an SDK client module. */
export const sessionSchemas: Readonly<Record<string, unknown>> = schemasOf(sessionOperations);

/** The operations on sessions, for the API of Systems Manager to serve beside its own. */
export const createSessions = (api: SessionsApi) => ({
  schemas: sessionSchemas,
  constraints: sessionConstraints,
  operations: bindAll(sessionOperations, api),
});
