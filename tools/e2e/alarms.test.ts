import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  CreateServiceCommand,
  DescribeServiceDeploymentsCommand,
  type ECSClient,
  ListServiceDeploymentsCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { verifyDelivery } from '@slipway/auth/kit';
import { ScriptedHook } from '@slipway/scheduler/hooks/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import { describeWeb } from '../testbed/balanced-service.ts';
import { check, until } from '../testbed/command.ts';
import { missingDocker, webCommand } from '../testbed/docker.ts';
import { LocalStage } from '../testbed/local-stage.ts';
import type { ServerProcess } from '../testbed/server-process.ts';

/** Alarms, and subscription filters of logs, on real parts: the AWS CLI, a receiver of webhooks behind TLS, and deployments on a Docker engine. */
const missing = (await missingAwsCli()) ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

interface Described {
  readonly MetricAlarms: readonly { readonly StateValue: string; readonly StateReason: string }[];
  readonly CompositeAlarms: readonly { readonly StateValue: string }[];
}
interface History {
  readonly AlarmHistoryItems: readonly { readonly HistorySummary: string; readonly HistoryItemType: string }[];
}

describe.skipIf(missing !== undefined)('alarms', { timeout: 600_000 }, () => {
  const stage = new LocalStage('alarms');
  let server: ServerProcess;
  let ecs: ECSClient;
  let hook: ScriptedHook;
  let aws: AwsCli;
  let image: string;
  let passed = 0;
  /** The AWS command line of version 1 would fetch `https://…` and send what it finds there. */
  const webhook = (): string => `arn:aws:slipway:us-east-1:000000000000:webhook/${hook.localUrl}`;
  const slipway = (...args: string[]): Promise<string> =>
    check(join(import.meta.dirname, '..', 'bin', 'slipway'), args, { env: server.aws() });
  const cloudwatch = <T>(...args: string[]): Promise<T> => aws.json<T>(['cloudwatch', ...args]);
  const states = async (): Promise<string[]> => {
    const types = ['--alarm-types', 'MetricAlarm', 'CompositeAlarm'];
    const { MetricAlarms, CompositeAlarms } = await cloudwatch<Described>('describe-alarms', ...types);
    return [...MetricAlarms, ...CompositeAlarms].map(({ StateValue }) => StateValue);
  };

  beforeAll(async () => {
    hook = await ScriptedHook.open();
    const authority = join(stage.folder, 'authority.pem');
    writeFileSync(authority, hook.ca);
    server = await stage.serve({
      SLIPWAY_WORKERS: '1',
      SLIPWAY_HEALTHY_AFTER_SECONDS: '1',
      SLIPWAY_OUTBOUND_ALLOW: '127.0.0.1/32',
      NODE_EXTRA_CA_CERTS: authority,
    });
    ecs = ecsClient(server);
    aws = new AwsCli(server.aws());
    image = await stage.push('alarms:1', { files: { '/www/index.html': 'here' }, command: webCommand });
  }, 600_000);

  afterAll(async () => {
    if (passed < 3) process.stderr.write(`--- server log ---\n${server.log.slice(-20_000)}\n`);
    ecs.destroy();
    await stage[Symbol.asyncDispose]();
    await hook[Symbol.asyncDispose]();
  }, 600_000);

  test('an alarm follows what is put, over a killed server, and tells its webhook once', async () => {
    const alarm = ['put-metric-alarm', '--namespace', 'App', '--metric-name', 'errors', '--statistic', 'Sum'];
    const rule = ['--evaluation-periods', '1', '--threshold', '3', '--comparison-operator', 'GreaterThanThreshold'];
    const stays = ['--treat-missing-data', 'ignore'];
    await cloudwatch(
      ...alarm,
      ...rule,
      ...stays,
      '--alarm-name',
      'errors',
      '--period',
      '10',
      '--alarm-actions',
      webhook(),
    );
    const composite = ['put-composite-alarm', '--alarm-name', 'bad', '--alarm-rule', 'ALARM("errors")'];
    await cloudwatch(...composite);
    await expect(
      cloudwatch(
        ...alarm,
        ...rule,
        '--alarm-name',
        'x',
        '--period',
        '60',
        '--alarm-actions',
        'arn:aws:sns:us-east-1:000000000000:t',
      ),
    ).rejects.toThrow('SNS topics do not exist here. Name a webhook');
    const point = ['--namespace', 'App', '--metric-name', 'errors', '--value', '5', '--storage-resolution', '1'];
    await cloudwatch('put-metric-data', ...point);
    await until('ALARM', 180_000, async () => (await states()).join() === 'ALARM,ALARM');
    await until('the call', 180_000, () => Promise.resolve(hook.heard.length > 0));
    const { MetricAlarms } = await cloudwatch<Described>('describe-alarms', '--alarm-names', 'errors');
    expect(MetricAlarms[0]?.StateReason).toMatch(/^Threshold Crossed: 1 out of the last 1 datapoint \[5\.0 \(/);
    await server.stop('SIGKILL');
    await server.start();
    const done = (history: History): boolean =>
      history.AlarmHistoryItems.some(({ HistoryItemType }) => HistoryItemType === 'Action');
    const history = await until('the end of the action', 180_000, async () => {
      const found = await cloudwatch<History>('describe-alarm-history', '--alarm-name', 'errors');
      return done(found) && found;
    });
    expect(history.AlarmHistoryItems.map(({ HistorySummary }) => HistorySummary).toSorted()).toEqual([
      'Alarm "errors" created',
      'Alarm updated from INSUFFICIENT_DATA to ALARM',
      `Successfully executed action ${webhook()}`,
    ]);
    const secret = (await slipway('alarms', 'secret', 'errors')).trim();
    const ids = new Set(hook.heard.map(({ headers }) => String(headers['slipway-delivery'])));
    expect(ids.size).toBe(1);
    for (const { headers, body } of hook.heard) {
      const signed = { secret, id: [...ids].join(), body, now: Date.now() };
      expect(verifyDelivery(String(headers['slipway-signature']), signed)).toBeDefined();
      expect(JSON.parse(body.toString())).toMatchObject({ AlarmName: 'errors', NewStateValue: 'ALARM' });
    }
    expect(await slipway('alarms', 'list', '--state', 'alarm')).toMatch(
      /ALARM +errors +\S+ +Sum of App errors > 3 in 1 of 1 periods of 10 s/,
    );
    expect(await slipway('alarms', 'show', 'bad')).toContain('transitioned to ALARM at');
    expect(await slipway('alarms', 'history', 'errors')).toContain('Successfully executed action');
    await cloudwatch('delete-alarms', '--alarm-names', 'errors', 'bad');
    expect(await states()).toEqual([]);
    passed++;
  });

  test('a subscription filter tells its webhook what comes, over a killed server, signed', async () => {
    const logs = (...args: string[]): Promise<unknown> => aws.json(['logs', ...args]);
    const of = ['--log-group-name', 'web'];
    await logs('create-log-group', ...of);
    await logs('create-log-stream', ...of, '--log-stream-name', 'one');
    const secret = (await slipway('subscriptions', 'secret', 'web', 'to-search')).trim();
    const before = hook.heard.length;
    await logs(
      'put-subscription-filter',
      ...of,
      '--filter-name',
      'to-search',
      '--filter-pattern',
      'line',
      '--destination-arn',
      webhook(),
    );
    const put = async (message: string): Promise<void> => {
      const event = JSON.stringify([{ timestamp: Date.now(), message }]);
      await logs('put-log-events', ...of, '--log-stream-name', 'one', '--log-events', event);
    };
    const told = () =>
      hook.heard.slice(before).map(({ headers, body }) => {
        const id = String(headers['slipway-delivery']);
        expect(
          verifyDelivery(String(headers['slipway-signature']), { secret, id, body, now: Date.now() }),
        ).toBeDefined();
        const { awslogs } = JSON.parse(body.toString()) as { readonly awslogs: { readonly data: string } };
        return JSON.parse(gunzipSync(Buffer.from(awslogs.data, 'base64')).toString()) as {
          readonly messageType: string;
          readonly logEvents: readonly { readonly message: string }[];
        };
      });
    expect(told().map(({ messageType }) => messageType)).toEqual(['CONTROL_MESSAGE']);
    await put('line 1');
    await put('another');
    await server.stop('SIGKILL');
    await server.start();
    await put('line 2');
    const lines = (): string[] =>
      told()
        .slice(1)
        .flatMap(({ logEvents }) => logEvents.map(({ message }) => message));
    await until('both lines', 180_000, () => Promise.resolve(lines().includes('line 2') && lines().includes('line 1')));
    // One that was under way when the server was killed may come twice.
    expect([...new Set(lines())]).toEqual(['line 1', 'line 2']);
    await until('the record of it', 180_000, async () =>
      (await slipway('subscriptions', 'show', 'web', 'to-search')).includes('told:    2 events'),
    );
    await logs('delete-subscription-filter', ...of, '--filter-name', 'to-search');
    passed++;
  });

  test('a rolling deployment goes back when an alarm is set', async () => {
    const alarm = ['put-metric-alarm', '--alarm-name', 'web', '--namespace', 'App', '--metric-name', 'none'];
    const rule = ['--evaluation-periods', '5', '--threshold', '1', '--comparison-operator', 'GreaterThanThreshold'];
    await cloudwatch(...alarm, ...rule, '--statistic', 'Sum', '--period', '60', '--treat-missing-data', 'notBreaching');
    const define = async (): Promise<string> => {
      const container = { name: 'app', image, memory: 64, essential: true };
      const made = await ecs.send(
        new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions: [container] }),
      );
      return made.taskDefinition?.taskDefinitionArn ?? '';
    };
    const first = await define();
    const alarms = { alarmNames: ['web'], enable: true, rollback: true };
    const watched = { minimumHealthyPercent: 100, maximumPercent: 200 };
    const service = { serviceName: 'web', taskDefinition: first, desiredCount: 1 };
    await expect(
      ecs.send(
        new CreateServiceCommand({
          ...service,
          deploymentConfiguration: { alarms: { ...alarms, alarmNames: ['no'] } },
        }),
      ),
    ).rejects.toThrow('The following alarms do not exist: no.');
    await ecs.send(new CreateServiceCommand({ ...service, deploymentConfiguration: watched }));
    const completed = (what: string) =>
      until(what, 120_000, async () => {
        const { deployments = [] } = await describeWeb(ecs);
        const [one] = deployments;
        return deployments.length === 1 && one?.rolloutState === 'COMPLETED' && one.taskDefinition === first && one;
      });
    await completed('the first deployment');
    const second = await define();
    await ecs.send(
      new UpdateServiceCommand({
        service: 'web',
        taskDefinition: second,
        deploymentConfiguration: { ...watched, alarms },
      }),
    );
    await until('the bake time', 180_000, async () =>
      (await slipway('explain', 'default/web')).includes('its alarms are watched until'),
    );
    await cloudwatch('set-alarm-state', '--alarm-name', 'web', '--state-value', 'ALARM', '--state-reason', 'testing');
    await completed('the way back');
    expect(await slipway('explain', 'default/web')).toContain('alarm web went into ALARM');
    const { serviceDeployments = [] } = await ecs.send(
      new ListServiceDeploymentsCommand({ service: 'web', cluster: 'default' }),
    );
    const back = serviceDeployments.find(({ status }) => status === 'ROLLBACK_SUCCESSFUL');
    const { serviceDeployments: [shown] = [] } = await ecs.send(
      new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [back?.serviceDeploymentArn ?? ''] }),
    );
    expect(shown?.alarms).toEqual({ status: 'TRIGGERED', alarmNames: ['web'], triggeredAlarmNames: ['web'] });
    const { events = [] } = await describeWeb(ecs);
    expect(events.some(({ message = '' }) => message.endsWith('deployment failed: alarm detected.'))).toBe(true);
    passed++;
  });
});
