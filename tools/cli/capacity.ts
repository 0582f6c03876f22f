import { type CapacityProvider, DescribeCapacityProvidersCommand, type ECSClient } from '@aws-sdk/client-ecs';
import { ecsClient } from './aws-client.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';

/** How a capacity provider stands, as it is shown. */
export interface ProviderStanding {
  readonly name: string;
  readonly kind: string;
  readonly standing: string;
}

/** `slipway explain capacity`: why groups of hosts are as large as they are, from the ECS API alone. */
export async function explainCapacity(name: string | undefined, options: { readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const shown = (await providers(ecsClient())).filter((one) => name === undefined || one.name === name).map(standingOf);
  if (name !== undefined && shown.length === 0)
    throw new CliError(`there is no capacity provider ${name}: slipway explain capacity shows all of them`);
  if (output === 'json') {
    printJson(shown);
    return;
  }
  for (const one of shown) {
    print(`${one.name}: ${one.kind}`);
    print(`  ${one.standing}`);
  }
}

async function providers(client: ECSClient): Promise<CapacityProvider[]> {
  const all: CapacityProvider[] = [];
  let nextToken: string | undefined;
  do {
    const page = await client.send(new DescribeCapacityProvidersCommand({ nextToken }));
    all.push(...(page.capacityProviders ?? []));
    ({ nextToken } = page);
  } while (nextToken !== undefined);
  return all;
}

/** What is to be said of one. */
export function standingOf({
  name = '',
  autoScalingGroupProvider: group,
  updateStatusReason,
}: CapacityProvider): ProviderStanding {
  if (group === undefined)
    return {
      name,
      kind: 'of every account',
      standing: 'Its tasks go to any host of the cluster that offers itself to Fargate; nothing makes hosts for them.',
    };
  const of = group.autoScalingGroupArn?.split('/').at(-1) ?? '';
  if (group.managedScaling?.status !== 'ENABLED')
    return {
      name,
      kind: `hosts of the group ${of}`,
      standing: 'Managed scaling is off: tasks wait until a host of the group has room, and nothing here makes one.',
    };
  return {
    name,
    kind: `hosts of the group ${of}, ${group.managedScaling.targetCapacity ?? 100} % of them in use`,
    standing:
      updateStatusReason ??
      'Nothing is known yet: its cluster looks every 5 seconds; put the provider into one with put-cluster-capacity-providers.',
  };
}
