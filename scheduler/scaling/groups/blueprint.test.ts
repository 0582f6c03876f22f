import { expect, test } from 'vitest';

import { account } from '../../balancing/testing/open-balancing.ts';
import { openGroups } from '../testing/group-bench.ts';
import { nextMachines } from './index.ts';

test('what the next machines are made from follows the launch template and the types of the group', async () => {
  const bench = await openGroups();
  const template = await bench.template();
  await bench.group();
  const next = () => nextMachines({ ...bench.ports, groups: bench.groups })(account, 'web');
  expect(await next()).toEqual({ template, version: 1, types: ['m5.large'] });
  await bench.ec2('CreateLaunchTemplateVersion', {
    LaunchTemplateName: 'web',
    SourceVersion: '1',
    LaunchTemplateData: { InstanceType: 'm5.xlarge' },
  });
  expect(await next()).toMatchObject({ version: 1 });
  await bench.ec2('ModifyLaunchTemplate', { LaunchTemplateName: 'web', DefaultVersion: '2' });
  expect(await next()).toEqual({ template, version: 2, types: ['m5.xlarge'] });
  await bench.api.call('UpdateAutoScalingGroup', {
    AutoScalingGroupName: 'web',
    MixedInstancesPolicy: {
      LaunchTemplate: {
        LaunchTemplateSpecification: { LaunchTemplateName: 'web', Version: '1' },
        Overrides: [{ InstanceType: 'm5.large' }, { InstanceType: 'm5a.large' }],
      },
    },
  });
  expect(await next()).toEqual({ template, version: 1, types: ['m5.large', 'm5a.large'] });
  await bench.ec2('DeleteLaunchTemplate', { LaunchTemplateName: 'web' });
  expect(await next()).toBeUndefined();
});
