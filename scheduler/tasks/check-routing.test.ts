import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { describe, expect, test } from 'vitest';

import { checkDefinition } from './check-definition.ts';
import type { TaskDefinitionBody } from './definition.ts';
import { requiredAttributes } from './requires.ts';

const body = (containers: readonly Partial<ContainerDefinition>[], more: object = {}): TaskDefinitionBody => ({
  family: 'routed',
  executionRoleArn: 'arn:aws:iam::000000000000:role/execution',
  containerDefinitions: containers.map((container) => ({ image: 'web', memory: 64, essential: true, ...container })),
  ...more,
});

const router = { name: 'router', firelensConfiguration: { type: 'fluentbit' as const } };
const routed = (options: Record<string, string>, secretOptions: readonly string[] = []) => ({
  logConfiguration: {
    logDriver: 'awsfirelens' as const,
    options,
    secretOptions: secretOptions.map((name) => ({ name, valueFrom: '/key' })),
  },
});
const app = { name: 'app', ...routed({ Name: 'datadog' }, ['apikey']) };

describe('a definition with a log router', () => {
  test('is fit for hosts that run such routers', () => {
    const options = { 'config-file-type': 'file', 'config-file-value': '/extra.conf' };
    const definition = body([app, { ...router, firelensConfiguration: { type: 'fluentbit', options } }]);
    expect(() => checkDefinition(definition)).not.toThrow();
    expect(requiredAttributes(definition)).toEqual([
      'com.amazonaws.ecs.capability.docker-remote-api.1.20',
      'com.amazonaws.ecs.capability.logging-driver.awsfirelens',
      'ecs.capability.firelens.fluentbit',
      'ecs.capability.firelens.options.config.file',
      'ecs.capability.secrets.ssm.bootstrap.log-driver',
    ]);
    expect(requiredAttributes(body([app, { ...router, firelensConfiguration: { type: 'fluentd' } }]))).toContain(
      'ecs.capability.firelens.fluentd',
    );
  });

  test('reads its configuration from S3 with the execution role only', () => {
    const options = { 'config-file-type': 's3', 'config-file-value': 'arn:aws:s3:::settings/extra.conf' };
    const plain = { name: 'app', ...routed({ Name: 'stdout' }) };
    const containers = [plain, { ...router, firelensConfiguration: { type: 'fluentbit' as const, options } }];
    const definition = body(containers);
    expect(() => checkDefinition(definition)).not.toThrow();
    expect(requiredAttributes(definition)).toContain('ecs.capability.firelens.options.config.s3');
    const { executionRoleArn: _, ...without } = definition;
    expect(() => checkDefinition(without)).toThrow(/'router'.*give 'executionRoleArn'/);
  });

  test.each<readonly [string, readonly Partial<ContainerDefinition>[], RegExp]>([
    [
      'no router',
      [app],
      /^When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers\.$/,
    ],
    [
      'nobody to route',
      [router],
      /^When a firelensConfiguration object is specified, at least one container has to be configured with the awsfirelens log driver\.$/,
    ],
    ['two routers', [router, { ...router, name: 'second' }, app], /Only one container.*'router' and 'second'/],
    ['a router of itself', [{ ...router, ...routed({ Name: 'x' }) }, app], /'router'.*cannot route its own output/],
    [
      'another program',
      [{ ...router, firelensConfiguration: { type: 'vector' as never } }, app],
      /'router'.*type of a log router is one of fluentbit, fluentd/,
    ],
    ['an option that begins a section', [router, { ...app, ...routed({ Name: 'x', uri: 'a\n[OUTPUT]' }) }], /'uri'/],
    ['a secret that the configuration is made of', [router, { ...app, ...routed({}, ['Name']) }], /secretOptions/],
    ['a secret twice', [router, { ...app, ...routed({ Name: 'x' }, ['a', 'a']) }], /in 'secretOptions' twice/],
    [
      'a secret beside its value',
      [router, { ...app, ...routed({ Name: 'x', apikey: '1' }, ['apikey']) }],
      /in 'options' and in 'secretOptions'/,
    ],
    [
      'a router that waits for those whose output it takes',
      [{ ...router, dependsOn: [{ containerName: 'app', condition: 'START' }] }, app],
      /circle: router -> app -> router/,
    ],
  ])('is refused with %s', (_what, containers, why) => {
    expect(() => checkDefinition(body(containers))).toThrow(why);
  });
});
