import type { Call } from '../../contract/index.ts';
import { federatedUserArn } from '../arns.ts';
import { accessDenied } from '../errors.ts';
import { requestTags } from '../../kit/index.ts';
import { iamTags } from '../tags.ts';
import { showCredentials, showPacked } from './answer.ts';
import { readSessionPolicies } from './session-input.ts';
import type { Sts, StsOperations } from './sts.ts';

/** Both are for users with a long-term key only. @throws AwsError `AccessDenied` */
function longTermUser(call: Call, operation: string): string {
  if (call.principal.type !== 'user' || call.principal.accessKeyId?.startsWith('AKIA') !== true) {
    throw accessDenied(`Cannot call ${operation} with session credentials`);
  }
  return call.principal.id;
}

export function userSessionOperations(sts: Sts): StsOperations {
  return {
    GetSessionToken: {
      // IAM user guide: no permissions are required, the token carries the user's own.
      access: 'authenticated',
      async handle(input, call) {
        const id = longTermUser(call, 'GetSessionToken');
        if (input.SerialNumber !== undefined || input.TokenCode !== undefined) {
          throw accessDenied('MultiFactorAuthentication failed, no such device exists.');
        }
        const credentials = await sts.sessions.issue(call.account, {
          kind: 'user-session',
          arn: call.principal.arn,
          principalId: id,
          issuerId: id,
          expires: sts.now() + (input.DurationSeconds ?? 43_200) * 1000,
          tags: {},
          transitiveTags: [],
        });
        return { Credentials: showCredentials(credentials) };
      },
    },

    GetFederationToken: {
      access: (input, call) => {
        const resources = [{ arn: federatedUserArn(call.account, input.Name ?? '') }];
        const tags = iamTags.parse(input.Tags);
        const context = requestTags(tags);
        return [
          { action: 'sts:GetFederationToken', resources, context },
          ...(Object.keys(tags).length === 0 ? [] : [{ action: 'sts:TagSession', resources, context }]),
        ];
      },
      async handle(input, call) {
        const id = longTermUser(call, 'GetFederationToken');
        const { policies, tags, packed } = await readSessionPolicies(sts.accounts, call.account, input);
        const name = input.Name ?? '';
        const arn = federatedUserArn(call.account, name);
        const principalId = `${call.account}:${name}`;
        const credentials = await sts.sessions.issue(call.account, {
          kind: 'federated-session',
          arn,
          principalId,
          issuerId: id,
          expires: sts.now() + (input.DurationSeconds ?? 43_200) * 1000,
          tags,
          transitiveTags: [],
          ...(policies === undefined ? {} : { policies }),
        });
        return {
          Credentials: showCredentials(credentials),
          FederatedUser: { FederatedUserId: principalId, Arn: arn },
          ...showPacked(packed),
        };
      },
    },
  };
}
