import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Call, type Operations } from '@slipway/auth/contract';
import { parsePolicy, policySize } from '@slipway/auth/policy';
import { invalidParameter, operation } from './errors.ts';
import { onRegistry, onRepository, type EcrPorts, type Target, targetOf } from './ports.ts';

const largestPolicy = 10_240;

/** Operations on the policies of repositories and of the registry. */
export function policyOperations(ports: EcrPorts) {
  const { repositories } = ports.images;
  const show = (text: string): Promise<string> => ports.principals.show(text);

  return {
    SetRepositoryPolicy: operation({
      access: onRepository(ports, 'SetRepositoryPolicy'),
      handle: async (input: sdk.SetRepositoryPolicyCommandInput, call) => {
        const target = targetOf(input, call);
        const { account, name } = target;
        await repositories.get(account, name);
        const policy = await checkedPolicy(ports, input.policyText ?? '');
        if (input.force !== true) await refuseLockOut(ports, target, policy, call);
        await repositories.update(account, name, (repository) => ({ ...repository, policy }));
        return { registryId: account, repositoryName: name, policyText: input.policyText };
      },
    }),

    GetRepositoryPolicy: operation({
      access: onRepository(ports, 'GetRepositoryPolicy'),
      handle: async (input: sdk.GetRepositoryPolicyCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const { policy } = await repositories.get(account, name);
        if (policy === undefined) throw noPolicy({ account, name });
        return { registryId: account, repositoryName: name, policyText: await show(policy) };
      },
    }),

    DeleteRepositoryPolicy: operation({
      access: onRepository(ports, 'DeleteRepositoryPolicy'),
      handle: async (input: sdk.DeleteRepositoryPolicyCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        let removed = '';
        await repositories.update(account, name, ({ policy, ...repository }) => {
          if (policy === undefined) throw noPolicy({ account, name });
          removed = policy;
          return repository;
        });
        return { registryId: account, repositoryName: name, policyText: await show(removed) };
      },
    }),

    PutRegistryPolicy: operation({
      access: onRegistry('PutRegistryPolicy'),
      handle: async (input: sdk.PutRegistryPolicyCommandInput, call) => {
        const policy = await checkedPolicy(ports, input.policyText ?? '');
        await repositories.updateRegistry(call.account, (registry) => ({ ...registry, policy }));
        return { registryId: call.account, policyText: input.policyText };
      },
    }),

    GetRegistryPolicy: operation({
      access: onRegistry('GetRegistryPolicy'),
      handle: async (_input: sdk.GetRegistryPolicyCommandInput, call) => {
        const { policy } = await repositories.registry(call.account);
        if (policy === undefined) throw noRegistryPolicy(call.account);
        return { registryId: call.account, policyText: await show(policy) };
      },
    }),

    DeleteRegistryPolicy: operation({
      access: onRegistry('DeleteRegistryPolicy'),
      handle: async (_input: sdk.DeleteRegistryPolicyCommandInput, call) => {
        let removed = '';
        await repositories.updateRegistry(call.account, ({ policy, ...registry }) => {
          if (policy === undefined) throw noRegistryPolicy(call.account);
          removed = policy;
          return registry;
        });
        return { registryId: call.account, policyText: await show(removed) };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

const noPolicy = ({ account, name }: Target): AwsError =>
  new AwsError(
    'RepositoryPolicyNotFoundException',
    `Repository policy does not exist for the repository with name '${name}' in the registry with id '${account}'`,
  );

const noRegistryPolicy = (account: string): AwsError =>
  new AwsError(
    'RegistryPolicyNotFoundException',
    `Registry policy does not exist in the registry with id '${account}'`,
  );

/** Refuses what is no policy, with the reason; returns the text to keep. */
export async function checkedPolicy(ports: EcrPorts, text: string): Promise<string> {
  if (text === '')
    throw invalidParameter("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'must not be empty'");
  parsePolicy(text, 'resource');
  if (policySize(text) > largestPolicy) throw invalidParameter(`A policy has at most ${largestPolicy} characters`);
  try {
    return await ports.principals.bind(text);
  } catch (error) {
    if (error instanceof AwsError) throw invalidParameter(`Invalid repository policy provided: ${error.message}`);
    throw error;
  }
}

/** A policy under which its own author could not change it any more is most likely a mistake. */
async function refuseLockOut(ports: EcrPorts, { account, name }: Target, policy: string, call: Call): Promise<void> {
  const resource = { arn: ports.resources.arn(account, name), policy };
  const decision = await ports.authorizer.authorize(
    call.principal,
    { action: 'ecr:SetRepositoryPolicy', resources: [resource] },
    call,
  );
  if (decision.allowed) return;
  throw invalidParameter("This policy would keep you from changing it again. Set 'force' if that is what you want.");
}
