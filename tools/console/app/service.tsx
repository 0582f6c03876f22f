import type { JSX } from 'preact';
import { Chart } from './chart.tsx';
import { ConfigurationPanel } from './configuration.tsx';
import { DeploymentsPanel } from './deployments.tsx';
import { lastOf, shortImage, visible } from './format.ts';
import { healthOf } from './health.ts';
import { useLive } from './live.ts';
import { LogsPanel } from './logs.tsx';
import { hourStep } from './metrics-data.ts';
import { Ago, Answered, Empty, LiveMark, Panel, Plain, Status } from './parts.tsx';
import { link } from './route.ts';
import { ScalingPanel } from './scaling.tsx';
import { ServiceActions } from './service-actions.tsx';
import { readService, readUsage, type ServiceData } from './service-data.ts';
import { TasksPanel } from './tasks.tsx';
import { ServiceTraffic } from './traffic.tsx';

/** One service: how it stands, how it got there, what it does now, and what can be done about it. */
export function ServicePage({ cluster, name }: { readonly cluster: string; readonly name: string }): JSX.Element {
  const live = useLive(
    `service ${cluster}/${name}`,
    (signal) => readService(cluster, name, signal),
    3000,
    () => [cluster],
  );
  const { data, again } = live;
  return (
    <>
      <nav class="path" aria-label="Where this is">
        <a href={link()}>Overview</a> <span aria-hidden="true">/</span> <Plain text={cluster} />
      </nav>
      <header class="page">
        <h1>
          <Plain text={name} />
        </h1>
        {data === undefined ? null : <Status health={healthOf(data.service)} />}
        <LiveMark live={live} />
        {data === undefined ? null : <ServiceActions data={data} again={again} />}
      </header>
      <Answered live={live} what="the service">
        {(service) => <Body data={service} again={again} />}
      </Answered>
    </>
  );
}

function Body({ data, again }: { readonly data: ServiceData; readonly again: () => void }): JSX.Element {
  const { service, definition } = data;
  const { runningCount = 0, desiredCount = 0, pendingCount = 0 } = service;
  const cluster = lastOf(service.clusterArn);
  const marks = data.deployments.map(({ createdAt = 0, targetServiceRevision }) => ({
    at: createdAt,
    text: `Deployment of ${lastOf(data.definitionOf.get(targetServiceRevision?.arn ?? ''))}`,
  }));
  const images = [...new Set(definition?.containerDefinitions?.map(({ image = '' }) => image))];
  return (
    <>
      <dl class="facts">
        <div>
          <dt>Tasks</dt>
          <dd>
            {runningCount} of {desiredCount}
            {pendingCount > 0 ? <span class="faint"> {pendingCount} starting</span> : null}
          </dd>
        </div>
        <div>
          <dt>Revision</dt>
          <dd>
            <Plain text={lastOf(service.taskDefinition)} />
          </dd>
        </div>
        <div>
          <dt>Deploys by</dt>
          <dd>{strategyOf(data)}</dd>
        </div>
        <div>
          <dt>{images.length > 1 ? 'Images' : 'Image'}</dt>
          <dd class="wrap">
            {images.length === 0 ? (
              <span class="faint">—</span>
            ) : (
              images.map((image) => <Image key={image} image={image} />)
            )}
          </dd>
        </div>
        <div>
          <dt>Made</dt>
          <dd>
            <Ago at={service.createdAt} />
          </dd>
        </div>
      </dl>
      <DeploymentsPanel data={data} again={again} />
      <UsagePanel cluster={cluster} data={data} marks={marks} />
      {[...new Set(service.loadBalancers?.flatMap(({ targetGroupArn }) => targetGroupArn ?? []))].map((groupArn) => (
        <ServiceTraffic key={groupArn} groupArn={groupArn} marks={marks} />
      ))}
      <ScalingPanel cluster={cluster} service={service.serviceName ?? ''} />
      <TasksPanel data={data} again={again} />
      <LogsPanel definition={definition} />
      <EventsPanel data={data} />
      <ConfigurationPanel data={data} />
    </>
  );
}

function strategyOf({
  service: { deploymentController, deploymentConfiguration, schedulingStrategy },
}: ServiceData): string {
  if (deploymentController?.type !== undefined && deploymentController.type !== 'ECS')
    return deploymentController.type === 'CODE_DEPLOY' ? 'CodeDeploy' : 'its own task sets';
  if (schedulingStrategy === 'DAEMON') return 'one task on each host';
  const words: Readonly<Record<string, string>> = {
    BLUE_GREEN: 'blue/green',
    LINEAR: 'linear shift',
    CANARY: 'canary',
  };
  return words[deploymentConfiguration?.strategy ?? ''] ?? 'rolling';
}

const Image = ({ image }: { readonly image: string }): JSX.Element => (
  <code title={visible(image)}>{visible(shortImage(image))}</code>
);

function UsagePanel(props: {
  readonly cluster: string;
  readonly data: ServiceData;
  readonly marks: readonly { readonly at: number; readonly text: string }[];
}): JSX.Element {
  const { cluster, data, marks } = props;
  const name = data.service.serviceName ?? '';
  const live = useLive(`usage ${cluster}/${name}`, (signal) => readUsage(cluster, name, signal), 20_000);
  const reservesNoCpu =
    data.definition?.cpu === undefined &&
    data.definition?.containerDefinitions?.every(({ cpu = 0 }) => cpu === 0) === true;
  const shared = { unit: '%', marks, step: hourStep };
  return (
    <Panel
      title="CPU and memory"
      aside={<span class="faint">of what tasks reserve, the last hour; upright lines are deployments</span>}
    >
      <Answered live={live} what="measurements">
        {({ from, to, cpu, memory }) => (
          <div class="charts">
            <Chart
              title="CPU"
              points={cpu}
              from={from}
              to={to}
              {...shared}
              {...(reservesNoCpu ? { nothing: 'The tasks reserve no CPU, so there is no part of it to show.' } : {})}
            />
            <Chart title="Memory" points={memory} from={from} to={to} {...shared} />
          </div>
        )}
      </Answered>
    </Panel>
  );
}

function EventsPanel({ data }: { readonly data: ServiceData }): JSX.Element {
  const events = data.service.events ?? [];
  return (
    <Panel title="Events" flush={events.length > 0}>
      {events.length === 0 ? (
        <Empty title="Nothing happened yet" />
      ) : (
        <ol class="events" tabIndex={0} aria-label="Events, the newest first">
          {events.slice(0, 100).map(({ id, createdAt, message }) => (
            <li key={id}>
              <Ago at={createdAt} />
              <Plain text={message} />
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
