import { DescribeServicesCommand, TagResourceCommand, UntagResourceCommand } from '@aws-sdk/client-ecs';
import { clientSettings, ecsClient, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';
import { elsewhereNote, imagesElsewhere } from './own-host.ts';

/** The ECS tag that makes a service follow images; the same from Terraform or the AWS CLI. */
const followTag = 'slipway:follow';

/** `slipway follow`: sets or removes what a service follows, through the ECS API like any other client. */
export async function follow(
  name: string,
  options: { readonly pattern?: string; readonly semver?: string; readonly off?: boolean; readonly output: string },
): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service } = parseService(name);
  if ([options.pattern, options.semver, options.off].filter((option) => option !== undefined).length > 1) {
    throw new CliError('--pattern, --semver and --off exclude each other', 2);
  }
  const client = ecsClient();
  const answer = await client.send(new DescribeServicesCommand({ cluster, services: [service] }));
  const found = answer.services?.[0];
  if (found?.serviceArn === undefined || found.status === 'INACTIVE')
    throw new CliError(`there is no service ${service} in the cluster ${cluster}`);
  if (options.off) {
    await client.send(new UntagResourceCommand({ resourceArn: found.serviceArn, tagKeys: [followTag] }));
  } else {
    const value =
      options.pattern !== undefined
        ? `pattern:${options.pattern}`
        : options.semver !== undefined
          ? `semver:${options.semver}`
          : 'true';
    await client.send(new TagResourceCommand({ resourceArn: found.serviceArn, tags: [{ key: followTag, value }] }));
  }
  const elsewhere =
    options.off || found.taskDefinition === undefined
      ? []
      : await imagesElsewhere(client, clientSettings().endpoint, found.taskDefinition);
  const what = options.off ? 'nothing' : (options.pattern ?? options.semver ?? 'the tags its task definition names');
  if (output === 'json') printJson({ serviceArn: found.serviceArn, follows: options.off ? null : what, elsewhere });
  else {
    print(`${cluster}/${service} follows ${what}`);
    if (elsewhere.length > 0) print(`  note: ${elsewhereNote(elsewhere)}`);
  }
}
