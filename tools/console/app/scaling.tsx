import type { JSX } from 'preact';
import { send, unlessRefused } from './aws.ts';
import { capital, type Health } from './health.ts';
import { useLive } from './live.ts';
import { Ago, Empty, Panel, Plain, Refusal, Status } from './parts.tsx';
import { Table } from './table.tsx';

/** What is read of Application Auto Scaling; its SDK is no part of the project, so the members that are shown are named here. */
interface Activity {
  readonly ActivityId?: string;
  readonly Description?: string;
  readonly Cause?: string;
  readonly StartTime?: number;
  readonly StatusCode?: string;
  readonly StatusMessage?: string;
}
interface Target {
  readonly MinCapacity?: number;
  readonly MaxCapacity?: number;
}
interface Scaling {
  readonly target: Target | undefined;
  readonly activities: readonly Activity[];
}

/** Activities that are shown, the newest. */
const mostActivities = 20;

async function readScaling(cluster: string, service: string, signal: AbortSignal): Promise<Scaling> {
  const of = { ServiceNamespace: 'ecs' };
  const id = `service/${cluster}/${service}`;
  const call = (name: string, input: object): Promise<unknown> =>
    send(`AnyScaleFrontendService.${name}`, { ...of, ...input }, { signal });
  const [targets, activities] = await Promise.all([
    unlessRefused(call('DescribeScalableTargets', { ResourceIds: [id] }), {}),
    unlessRefused(call('DescribeScalingActivities', { ResourceId: id, MaxResults: mostActivities }), {}),
  ]);
  return {
    target: (targets as { readonly ScalableTargets?: readonly Target[] }).ScalableTargets?.[0],
    activities: (activities as { readonly ScalingActivities?: readonly Activity[] }).ScalingActivities ?? [],
  };
}

const healths: Readonly<Record<string, Health>> = {
  Successful: { level: 'good', word: 'Done' },
  InProgress: { level: 'busy', word: 'Under way' },
  Pending: { level: 'busy', word: 'Pending' },
  Failed: { level: 'bad', word: 'Failed' },
  Unfulfilled: { level: 'warn', word: 'Not reached' },
};

/** Between what a service is scaled by itself, and when that happened and why; nothing where it is not. */
export function ScalingPanel({
  cluster,
  service,
}: {
  readonly cluster: string;
  readonly service: string;
}): JSX.Element | null {
  const live = useLive(`scaling ${cluster}/${service}`, (signal) => readScaling(cluster, service, signal), 15_000);
  const { data, error } = live;
  if (data === undefined) return error === undefined ? null : <Refusal error={error} />;
  const { target, activities } = data;
  if (target === undefined && activities.length === 0) return null;
  const limits =
    target === undefined ? undefined : (
      <span class="faint">
        by itself, from {target.MinCapacity ?? 0} to {target.MaxCapacity ?? 0} tasks
      </span>
    );
  return (
    <Panel title="Scaling" aside={limits} flush={activities.length > 0}>
      {activities.length === 0 ? (
        <Empty title="It was not scaled by itself yet" />
      ) : (
        <Table
          caption="Scaling activities, the newest first"
          rows={activities}
          keyOf={({ ActivityId = '' }) => ActivityId}
          columns={[
            { name: 'When', cell: ({ StartTime }) => <Ago at={StartTime} /> },
            {
              name: 'How',
              cell: ({ StatusCode = '' }) => (
                <Status health={healths[StatusCode] ?? { level: 'idle', word: capital(StatusCode) }} />
              ),
            },
            { name: 'What', cell: ({ Description }) => <Plain text={Description} /> },
            {
              name: 'Why',
              wide: true,
              cell: ({ Cause, StatusMessage }) => (
                <span class="faint">
                  <Plain text={Cause ?? StatusMessage} />
                </span>
              ),
            },
          ]}
        />
      )}
    </Panel>
  );
}
