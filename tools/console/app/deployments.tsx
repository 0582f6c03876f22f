import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ecs } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { lastOf } from './format.ts';
import { capital, type Health } from './health.ts';
import { useMay } from './live.ts';
import { Ago, Button, Empty, Panel, Plain, Status } from './parts.tsx';
import { Progress } from './progress.tsx';
import { RevisionDifference } from './revision-difference.tsx';
import type { History, ServiceData } from './service-data.ts';
import type { ServiceDeployment } from './types.ts';

const healths: Readonly<Record<string, Health>> = {
  PENDING: { level: 'busy', word: 'Waiting' },
  IN_PROGRESS: { level: 'busy', word: 'Under way' },
  SUCCESSFUL: { level: 'good', word: 'Succeeded' },
  STOPPED: { level: 'idle', word: 'Stopped' },
  STOP_REQUESTED: { level: 'busy', word: 'Stopping' },
  ROLLBACK_REQUESTED: { level: 'busy', word: 'Rolling back' },
  ROLLBACK_IN_PROGRESS: { level: 'warn', word: 'Rolling back' },
  ROLLBACK_SUCCESSFUL: { level: 'warn', word: 'Rolled back' },
  ROLLBACK_FAILED: { level: 'bad', word: 'Rollback failed' },
};
const healthOf = ({ status }: ServiceDeployment): Health =>
  healths[status ?? ''] ?? { level: 'idle', word: capital(status ?? '') };

const underWay = ['PENDING', 'IN_PROGRESS', 'ROLLBACK_REQUESTED', 'ROLLBACK_IN_PROGRESS', 'STOP_REQUESTED'];
export const isUnderWay = ({ status }: ServiceDeployment): boolean => underWay.includes(status ?? '');

/** The stages of a deployment that shifts traffic, in their order, grouped as people think of them. */
const stages: readonly (readonly [name: string, stages: readonly string[]])[] = [
  ['Prepare', ['RECONCILE_SERVICE', 'PRE_SCALE_UP']],
  ['Scale up', ['SCALE_UP', 'POST_SCALE_UP']],
  ['Test traffic', ['TEST_TRAFFIC_SHIFT', 'POST_TEST_TRAFFIC_SHIFT']],
  ['Shift traffic', ['PRE_PRODUCTION_TRAFFIC_SHIFT', 'PRODUCTION_TRAFFIC_SHIFT', 'POST_PRODUCTION_TRAFFIC_SHIFT']],
  ['Bake', ['BAKE_TIME']],
  ['Clean up', ['CLEAN_UP']],
];

/** The deployment under way with what a person can decide about it, and those before it. */
export function DeploymentsPanel({
  data,
  again,
}: {
  readonly data: ServiceData;
  readonly again: () => void;
}): JSX.Element {
  const { deployments } = data;
  const [current, ...others] = deployments;
  const open = current !== undefined && isUnderWay(current);
  const past = open ? others : deployments;
  return (
    <Panel title="Deployments" flush>
      {deployments.length === 0 ? <Empty title="No deployment is remembered" /> : null}
      {open ? <CurrentDeployment deployment={current} definitionOf={data.definitionOf} again={again} /> : null}
      {past.length === 0 ? null : (
        <ul class="list">
          {past.slice(0, 6).map((deployment) => (
            <Past key={deployment.serviceDeploymentArn} deployment={deployment} data={data} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const revisionOf = ({ definitionOf }: Pick<History, 'definitionOf'>, arn: string | undefined): string =>
  lastOf(definitionOf.get(arn ?? ''));

function Past({
  deployment,
  data,
}: {
  readonly deployment: ServiceDeployment;
  readonly data: ServiceData;
}): JSX.Element {
  const { rollback, statusReason, status } = deployment;
  const from = data.definitionOf.get(deployment.sourceServiceRevisions?.[0]?.arn ?? '');
  const to = data.definitionOf.get(deployment.targetServiceRevision?.arn ?? '');
  const reason = (status?.startsWith('ROLLBACK') === true ? rollback?.reason : undefined) ?? statusReason;
  return (
    <li class="row">
      <Status health={healthOf(deployment)} />
      <span class="strong">
        <Plain text={revisionOf(data, deployment.targetServiceRevision?.arn)} />
      </span>
      <span class="grow faint">
        <Plain text={reason} />
      </span>
      <Ago at={deployment.createdAt} />
      {from === undefined || to === undefined || from === to ? null : <RevisionDifference from={from} to={to} />}
    </li>
  );
}

/** What is asked, with what an answer is about: what the page shows of it since changes neither. */
type Question = { readonly kind: 'continue'; readonly hookId: string } | { readonly kind: 'rollback' };

interface CurrentProps {
  readonly deployment: ServiceDeployment;
  readonly definitionOf: History['definitionOf'];
  readonly again: () => void;
}

/** A deployment under way, and what a person can decide about it: a question that is open is never answered for the deployment after it. */
export const CurrentDeployment = (props: CurrentProps): JSX.Element => (
  <Current key={props.deployment.serviceDeploymentArn} {...props} />
);

function Current(props: CurrentProps): JSX.Element {
  const { deployment, definitionOf, again } = props;
  const {
    serviceDeploymentArn = '',
    targetServiceRevision: target,
    sourceServiceRevisions = [],
    lifecycleStage,
  } = deployment;
  const [question, setQuestion] = useState<Question>();
  const waiting = (deployment.lifecycleHookDetails ?? []).filter(({ status }) => status === 'AWAITING_ACTION');
  const hookId = waiting[0]?.hookId;
  const decidable = deployment.status === 'IN_PROGRESS' || deployment.status === 'PENDING';
  const [from, to] = [definitionOf.get(sourceServiceRevisions[0]?.arn ?? ''), definitionOf.get(target?.arn ?? '')];
  const stop = { serviceDeploymentArn, stopType: 'ROLLBACK' } as const;
  const mayStop = useMay(
    decidable && sourceServiceRevisions.length > 0 ? `stop ${serviceDeploymentArn}` : undefined,
    () => ecs.may('StopServiceDeployment', stop),
  );
  const goOn = { serviceDeploymentArn, hookId, action: 'CONTINUE' } as const;
  const mayContinue = useMay(hookId === undefined ? undefined : `continue ${serviceDeploymentArn} ${hookId}`, () =>
    ecs.may('ContinueServiceDeployment', goOn),
  );
  const weight = target?.requestedProductionTrafficWeight;
  const revision = revisionOf(props, target?.arn);
  return (
    <div class="current">
      <div class="row">
        <Status health={healthOf(deployment)} />
        <span class="strong">
          <Plain text={revision} />
        </span>
        <span class="faint">
          {sourceServiceRevisions.length === 0 ? null : (
            <>
              takes the place of <Plain text={lastOf(from)} />
            </>
          )}
        </span>
        <span class="grow" />
        <Ago at={deployment.createdAt} />
      </div>
      {lifecycleStage === undefined ? null : <Stages at={lifecycleStage} />}
      <div class="bars">
        <div>
          <span class="faint">New tasks running</span>
          <Progress done={target?.runningTaskCount ?? 0} all={target?.requestedTaskCount ?? 0} />
        </div>
        {weight === undefined ? null : (
          <div>
            <span class="faint">Traffic on the new revision</span>
            <div class="progress">
              <progress value={weight} max={100} aria-label="Traffic on the new revision" />
              <span class="number">{weight} %</span>
            </div>
          </div>
        )}
      </div>
      <p>
        <Plain text={deployment.statusReason} />
      </p>
      {from === undefined || to === undefined || from === to ? null : <RevisionDifference from={from} to={to} />}
      {(hookId !== undefined && mayContinue) || mayStop ? (
        <div class="actions">
          {hookId !== undefined && mayContinue ? (
            <Button kind="primary" onClick={() => setQuestion({ kind: 'continue', hookId })}>
              Approve and go on
            </Button>
          ) : null}
          {mayStop ? (
            <Button kind="danger" onClick={() => setQuestion({ kind: 'rollback' })}>
              Roll back
            </Button>
          ) : null}
        </div>
      ) : null}
      {question === undefined ? null : (
        <Dialog
          title={question.kind === 'rollback' ? 'Roll this deployment back?' : 'Let this deployment go on?'}
          yes={question.kind === 'rollback' ? 'Roll back' : 'Go on'}
          kind={question.kind === 'rollback' ? 'danger' : 'primary'}
          done={
            question.kind === 'rollback' ? 'The service goes back to what it ran before.' : 'The deployment goes on.'
          }
          act={async () => {
            if (question.kind === 'rollback') await ecs('StopServiceDeployment', stop);
            else await ecs('ContinueServiceDeployment', { ...goOn, hookId: question.hookId });
            again();
          }}
          close={() => setQuestion(undefined)}
        >
          <p>
            {question.kind === 'rollback'
              ? 'Tasks and traffic go back to the revision before '
              : 'It waits for a person before it goes on with '}
            <strong>
              <Plain text={revision} />
            </strong>
            .
          </p>
        </Dialog>
      )}
    </div>
  );
}

function Stages({ at }: { readonly at: string }): JSX.Element {
  const now = stages.findIndex(([, names]) => names.includes(at));
  return (
    <ol class="stages" aria-label="Stages of the deployment">
      {stages.map(([name], i) => (
        <li key={name} class={i < now ? 'done' : i === now ? 'now' : ''} aria-current={i === now ? 'step' : undefined}>
          {name}
        </li>
      ))}
    </ol>
  );
}
