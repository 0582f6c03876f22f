import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ecs } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { lastOf, plural } from './format.ts';
import { useMay } from './live.ts';
import { Button, Plain } from './parts.tsx';
import type { ServiceData } from './service-data.ts';

/** Scaling and deploying again, for whoever may; what is not allowed has no button. */
export function ServiceActions({
  data,
  again,
}: {
  readonly data: ServiceData;
  readonly again: () => void;
}): JSX.Element {
  const { service } = data;
  const { serviceName = '', desiredCount = 0, schedulingStrategy, deploymentController, status } = service;
  const cluster = lastOf(service.clusterArn);
  const [asked, setAsked] = useState<'scale' | 'deploy'>();
  /** As it was typed: a field that is empty is no number. */
  const [count, setCount] = useState('');
  const active = status === 'ACTIVE' ? `${cluster}/${serviceName}` : undefined;
  const input = { cluster, service: serviceName };
  const mayScale = useMay(active === undefined ? undefined : `scale ${active}`, () =>
    ecs.may('UpdateService', { ...input, desiredCount }),
  );
  const mayDeploy = useMay(active === undefined ? undefined : `deploy ${active}`, () =>
    ecs.may('UpdateService', { ...input, forceNewDeployment: true }),
  );
  const ownDeployments = deploymentController?.type === undefined || deploymentController.type === 'ECS';
  const close = (): void => setAsked(undefined);
  return (
    <div class="actions">
      {mayScale && schedulingStrategy !== 'DAEMON' ? (
        <Button
          onClick={() => {
            setCount(String(desiredCount));
            setAsked('scale');
          }}
        >
          Scale
        </Button>
      ) : null}
      {mayDeploy && ownDeployments ? <Button onClick={() => setAsked('deploy')}>Deploy again</Button> : null}
      {asked === 'scale' ? (
        <Dialog
          title="How many tasks?"
          yes="Scale"
          done={`${serviceName} gets ${plural(Number(count), 'task')}.`}
          act={async () => {
            await ecs('UpdateService', { ...input, desiredCount: Number(count) });
            again();
          }}
          close={close}
        >
          <label>
            <span>
              Tasks of <Plain text={serviceName} />
            </span>
            <input
              type="number"
              min={0}
              max={5000}
              required
              value={count}
              onInput={(event) => setCount(event.currentTarget.value)}
            />
          </label>
          <p class="faint">A scaling policy of the service may change the count again.</p>
        </Dialog>
      ) : null}
      {asked === 'deploy' ? (
        <Dialog
          title="Deploy again?"
          yes="Deploy"
          done={`${serviceName} is deployed again.`}
          act={async () => {
            await ecs('UpdateService', { ...input, forceNewDeployment: true });
            again();
          }}
          close={close}
        >
          <p>
            All tasks of <strong>{<Plain text={serviceName} />}</strong> are replaced by new ones of{' '}
            <Plain text={lastOf(service.taskDefinition)} />, as its deployment configuration says.
          </p>
        </Dialog>
      ) : null}
    </div>
  );
}
