import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import { region, type ServedRegistry } from './serve-registry.ts';

/** Makes a user with one inline policy, and returns its key. */
export async function newUser(
  registry: ServedRegistry,
  UserName: string,
  Statement: readonly object[],
): Promise<ServedRegistry['credentials']> {
  const iam = new IAMClient({ endpoint: registry.url, region, credentials: registry.credentials });
  await iam.send(new CreateUserCommand({ UserName }));
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: 'test', PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  iam.destroy();
  return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
}
