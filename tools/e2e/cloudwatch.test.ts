import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CloudWatchClient,
  GetDashboardCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  PutMetricDataCommand,
} from '@aws-sdk/client-cloudwatch';
import { AwsJson1_0Protocol, AwsQueryProtocol } from '@aws-sdk/core/protocols';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AwsCli, inTurn, missingAwsCli, missingSecondAwsCli, secondAwsCli } from '../testbed/aws-cli.ts';
import { run } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const missing = (await missingAwsCli()) ?? (await missingSecondAwsCli());
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);
/** Boto3 lies beside the AWS command line that was installed for tests, or in the machine's own Python. */
const python = ['/opt/slipway-test-awscli/bin/python'].find((path) => existsSync(path)) ?? 'python3';
const boto = await run(python, ['-c', 'import boto3']).catch(() => ({ code: 1 }));
const noBoto = boto.code === 0 ? undefined : 'boto3 is not on this machine (pip install boto3)';
if (noBoto !== undefined && process.env['CI']) throw new Error(noBoto);

vi.setConfig({ testTimeout: 600_000 });

const folder = mkdtempSync(join(tmpdir(), 'slipway-cloudwatch-'));
let server: ServerProcess;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(missing !== undefined)(
  `the AWS CLI, versions 1 and 2 in turn, puts metrics, and reads them after the server was killed${missing === undefined ? '' : ` (${missing})`}`,
  async () => {
    const json = inTurn(new AwsCli(server.aws()), new AwsCli(server.aws(), secondAwsCli));
    const cloudwatch = <T>(...args: string[]): Promise<T> => json<T>(['cloudwatch', ...args]);
    const now = Date.now();
    const at = new Date(now).toISOString();
    const metric = ['--namespace', 'Cli', '--metric-name', 'latency'];
    const put = ['put-metric-data', ...metric, '--timestamp', at, '--unit', 'Milliseconds'];
    await cloudwatch(...put, '--value', '40', '--dimensions', 'Service=web');
    const sums = 'SampleCount=3,Sum=30,Minimum=5,Maximum=20';
    await cloudwatch(...put, '--statistic-values', sums, '--dimensions', 'Service=web');
    await server.stop('SIGKILL');
    await server.start();

    const hour = 3_600_000;
    const range = [
      '--start-time',
      new Date(now - hour).toISOString(),
      '--end-time',
      new Date(now + hour).toISOString(),
    ];
    const asked = [
      'get-metric-statistics',
      ...metric,
      '--dimensions',
      'Name=Service,Value=web',
      ...range,
      '--period',
      '60',
    ];
    expect(await cloudwatch(...asked, '--statistics', 'Sum', 'SampleCount', 'Maximum')).toMatchObject({
      Label: 'latency',
      Datapoints: [{ Sum: 70, SampleCount: 4, Maximum: 40, Unit: 'Milliseconds' }],
    });
    const queries = join(folder, 'queries.json');
    const Metric = { Namespace: 'Cli', MetricName: 'latency', Dimensions: [{ Name: 'Service', Value: 'web' }] };
    writeFileSync(
      queries,
      JSON.stringify([
        { Id: 'm', MetricStat: { Metric, Period: 60, Stat: 'Average' }, ReturnData: false },
        { Id: 'e', Expression: 'FILL(m, 0) / 10', Label: 'tenths' },
      ]),
    );
    const data = ['get-metric-data', '--metric-data-queries', `file://${queries}`, ...range];
    const { MetricDataResults } = await cloudwatch<{
      readonly MetricDataResults: readonly { readonly Label: string; readonly Values: readonly number[] }[];
    }>(...data);
    expect(MetricDataResults.map(({ Label, Values }) => [Label, Math.max(...Values)])).toEqual([['tenths', 1.75]]);
    expect(await cloudwatch('list-metrics', '--namespace', 'Cli')).toEqual({ Metrics: [Metric] });

    const body = '{"widgets":[{"type":"text","properties":{"markdown":"hello"}}]}';
    await cloudwatch('put-dashboard', '--dashboard-name', 'web', '--dashboard-body', body);
    expect(await cloudwatch('get-dashboard', '--dashboard-name', 'web')).toMatchObject({ DashboardBody: body });
    await cloudwatch('delete-dashboards', '--dashboard-names', 'web');
  },
);

test.skipIf(noBoto !== undefined)(
  `boto3 sends packed data, and knows errors by the codes that it always knew${noBoto === undefined ? '' : ` (${noBoto})`}`,
  async () => {
    const program = `
import boto3, datetime
from botocore.exceptions import ClientError
cw = boto3.client('cloudwatch')
now = datetime.datetime.now(datetime.timezone.utc)
# More than 10 KiB are packed.
cw.put_metric_data(Namespace='Boto', MetricData=[
    {'MetricName': 'jobs', 'Timestamp': now, 'Values': [1.0, 2.5], 'Counts': [2.0, 1.0], 'StorageResolution': 1,
     'Dimensions': [{'Name': 'Queue', 'Value': 'queue-%d' % (n % 10)}]} for n in range(500)])
hour = datetime.timedelta(hours=1)
found = cw.get_metric_statistics(Namespace='Boto', MetricName='jobs', Dimensions=[{'Name': 'Queue', 'Value': 'queue-7'}],
    StartTime=now - hour, EndTime=now + hour, Period=3600, ExtendedStatistics=['p50'], Unit='None')
print(float(sum(point['ExtendedStatistics']['p50'] for point in found['Datapoints'])))
print(len(list(cw.get_paginator('list_metrics').paginate(Namespace='Boto').search('Metrics[]'))))
for call in (lambda: cw.put_metric_data(Namespace='AWS/ECS', MetricData=[{'MetricName': 'x', 'Value': 1}]),
             lambda: cw.get_dashboard(DashboardName='none')):
    try:
        call()
    except ClientError as error:
        print(error.response['Error']['Code'])
`;
    const { stdout, stderr } = await run(python, ['-c', program], { env: { ...process.env, ...server.aws() } });
    expect(stdout.trim().split('\n'), stderr).toEqual(['1.0', '10', 'InvalidParameterValue', 'ResourceNotFound']);
  },
);

test('the SDK for JavaScript says the same in CBOR, JSON and Query', async () => {
  const env = server.aws();
  const xmlNamespace = 'http://monitoring.amazonaws.com/doc/2010-08-01/';
  const common = { defaultNamespace: 'com.amazonaws.cloudwatch' };
  const protocols = {
    cbor: undefined,
    json: new AwsJson1_0Protocol({
      ...common,
      serviceTarget: 'GraniteServiceVersion20100801',
      awsQueryCompatible: true,
    }),
    query: new AwsQueryProtocol({ ...common, xmlNamespace, version: '2010-08-01' }),
  };
  for (const [name, protocol] of Object.entries(protocols)) {
    const client = new CloudWatchClient({
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
      ...(protocol === undefined ? {} : { protocol }),
    });
    const now = Date.now();
    const minute = 60_000;
    const Timestamp = new Date(Math.floor(now / minute) * minute);
    const MetricData = [
      { MetricName: 'cpu', Value: 12.5, Timestamp, Unit: 'Percent' as const },
      { MetricName: 'cpu', Values: [50, 25], Counts: [1, 2], Timestamp, Unit: 'Percent' as const },
    ];
    await client.send(new PutMetricDataCommand({ Namespace: `Sdk/${name}`, MetricData }));
    const range = { StartTime: new Date(now - 60 * minute), EndTime: new Date(now + minute) };
    const statistics = await client.send(
      new GetMetricStatisticsCommand({
        Namespace: `Sdk/${name}`,
        MetricName: 'cpu',
        Period: 60,
        Statistics: ['Average', 'SampleCount'],
        ...range,
      }),
    );
    expect(statistics.Datapoints, name).toEqual([{ Timestamp, Average: 28.125, SampleCount: 4, Unit: 'Percent' }]);
    const Metric = { Namespace: `Sdk/${name}`, MetricName: 'cpu' };
    const { MetricDataResults } = await client.send(
      new GetMetricDataCommand({
        MetricDataQueries: [
          { Id: 'm', MetricStat: { Metric, Period: 60, Stat: 'Sum' }, ReturnData: false },
          { Id: 'e', Expression: 'IF(m > 100, m * 2)' },
        ],
        ...range,
      }),
    );
    expect(MetricDataResults, name).toMatchObject([
      { Id: 'e', Label: 'e', Timestamps: [Timestamp], Values: [225], StatusCode: 'Complete' },
    ]);
    const refused = (what: Promise<unknown>): Promise<string> =>
      what.then(
        () => 'taken',
        (error: Error) => error.name,
      );
    const forged = new PutMetricDataCommand({ Namespace: 'AWS/ECS', MetricData });
    expect(await refused(client.send(forged)), name).toMatch(/^InvalidParameterValue/);
    const lost = new GetDashboardCommand({ DashboardName: 'none' });
    expect(await refused(client.send(lost)), name).toMatch(/^(?:DashboardNotFoundError|ResourceNotFound)$/);
    client.destroy();
  }
});
