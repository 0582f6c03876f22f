import type { AssumeRoleRequest } from '@aws-sdk/client-sts';
import type { AccessList, AccessRequest } from '../../contract/index.ts';
import { sessionArn } from '../arns.ts';
import type { SessionEntity, Tags } from '../entities.ts';
import { accessDenied, validationError } from '../errors.ts';
import { requestTags } from '../../kit/index.ts';
import { iamTags } from '../tags.ts';
import { showAssumedRole, showCredentials, showPacked } from './answer.ts';
import { readSessionPolicies } from './session-input.ts';
import type { Sts, StsOperations } from './sts.ts';

/** A role's trust policy decides, and the caller's own policies unless it names the caller. A role that does not exist is refused alike. */
async function assumeRoleAccess(sts: Sts, input: AssumeRoleRequest): Promise<AccessList> {
  const found = await sts.role(input.RoleArn);
  const resources = [
    { arn: input.RoleArn ?? '', ...(found === undefined ? {} : { policy: found.role.trust, tags: found.role.tags }) },
  ];
  const tags = iamTags.parse(input.Tags);
  const transitive = input.TransitiveTagKeys ?? [];
  const context = {
    ...requestTags(tags),
    'sts:RoleSessionName': input.RoleSessionName,
    'sts:ExternalId': input.ExternalId,
    'sts:SourceIdentity': input.SourceIdentity,
    ...(transitive.length === 0 ? {} : { 'sts:TransitiveTagKeys': transitive }),
  };
  const further: AccessRequest[] = [];
  if (Object.keys(tags).length > 0) further.push({ action: 'sts:TagSession', resources, context });
  if (input.SourceIdentity !== undefined) further.push({ action: 'sts:SetSourceIdentity', resources, context });
  return [{ action: 'sts:AssumeRole', resources, context }, ...further];
}

/** Tags that an earlier session marked as transitive come along, and cannot be replaced (IAM user guide, "Pass session tags"). */
function chainedTags(session: SessionEntity | undefined, given: Tags): { tags: Tags; transitive: string[] } {
  const transitive = session?.transitiveTags ?? [];
  const inherited = Object.entries(session?.tags ?? {}).filter(([key]) => transitive.includes(key));
  for (const [key] of inherited) {
    if (Object.keys(given).some((each) => each.toLowerCase() === key.toLowerCase())) {
      throw validationError(`The tag ${key} was set as transitive by an earlier session and cannot be passed again`);
    }
  }
  return { tags: { ...Object.fromEntries(inherited), ...given }, transitive: inherited.map(([key]) => key) };
}

export function assumeRoleOperations(sts: Sts): StsOperations {
  return {
    AssumeRole: {
      access: (input) => assumeRoleAccess(sts, input),
      async handle(input, call) {
        const found = await sts.role(input.RoleArn);
        if (found === undefined || call.principal.type === 'root')
          throw accessDenied('Roles may not be assumed by root accounts.');
        if (input.SerialNumber !== undefined || input.TokenCode !== undefined) {
          throw accessDenied('MultiFactorAuthentication failed, no such device exists.');
        }
        const { account, role } = found;
        const session = await sts.sessionOf(call);
        const chained = session?.kind === 'role-session';
        const duration = input.DurationSeconds ?? 3600;
        if (duration > role.maxSession) {
          throw validationError('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
        }
        if (chained && duration > 3600) {
          throw validationError(
            'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
          );
        }
        if (
          session?.sourceIdentity !== undefined &&
          input.SourceIdentity !== undefined &&
          input.SourceIdentity !== session.sourceIdentity
        ) {
          throw accessDenied('The source identity of a session cannot be changed by role chaining');
        }
        const { policies, tags, packed } = await readSessionPolicies(sts.accounts, account, input);
        const along = chainedTags(session, tags);
        const name = input.RoleSessionName ?? '';
        const sourceIdentity = session?.sourceIdentity ?? input.SourceIdentity;
        const credentials = await sts.sessions.issue(account, {
          kind: 'role-session',
          arn: sessionArn(account, role.name, name),
          principalId: `${role.id}:${name}`,
          issuerId: role.id,
          expires: sts.now() + duration * 1000,
          tags: along.tags,
          transitiveTags: [...along.transitive, ...(input.TransitiveTagKeys ?? [])],
          chained,
          ...(policies === undefined ? {} : { policies }),
          ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
        });
        return {
          Credentials: showCredentials(credentials),
          AssumedRoleUser: showAssumedRole(account, role, name),
          ...showPacked(packed),
          ...(sourceIdentity === undefined ? {} : { SourceIdentity: sourceIdentity }),
        };
      },
    },
  };
}
