import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ExecPanel, isOpenToExec } from './exec.tsx';
import { ecs } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { lastOf } from './format.ts';
import { healthOfTask, whyStopped } from './health.ts';
import { useMay } from './live.ts';
import { Ago, Button, Empty, Panel, Plain, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { mostTasks, type ServiceData } from './service-data.ts';
import type { Task } from './types.ts';

const idOf = ({ taskArn }: Task): string => lastOf(taskArn);

/** The tasks of a service that run, and those that have stopped with the reason. */
export function TasksPanel({ data, again }: { readonly data: ServiceData; readonly again: () => void }): JSX.Element {
  const [which, setWhich] = useState<'running' | 'stopped'>('running');
  const [stopping, setStopping] = useState<Task>();
  const { running, stopped } = data;
  const cluster = lastOf(data.service.clusterArn);
  const [first] = running;
  const mayStop = useMay(
    first === undefined ? undefined : `stop tasks ${cluster}/${data.service.serviceName ?? ''}`,
    () => ecs.may('StopTask', { cluster, task: first?.taskArn }),
  );
  const open = running.find(isOpenToExec);
  const mayExec = useMay(open === undefined ? undefined : `exec ${cluster}/${data.service.serviceName ?? ''}`, () =>
    ecs.may('ExecuteCommand', {
      cluster,
      task: open?.taskArn,
      container: open?.containers?.[0]?.name,
      command: 'sh',
      interactive: true,
    }),
  );
  const [inside, setInside] = useState<Task>();
  const rows = which === 'running' ? running : stopped;
  const choice = (
    <div class="choices" role="group" aria-label="Which tasks">
      <Button kind="quiet" pressed={which === 'running'} onClick={() => setWhich('running')}>
        Running {running.length}
      </Button>
      <Button kind="quiet" pressed={which === 'stopped'} onClick={() => setWhich('stopped')}>
        Stopped {stopped.length}
      </Button>
    </div>
  );
  const actions = which === 'running' && (mayStop || (mayExec && open !== undefined));
  return (
    <>
      <Panel title="Tasks" aside={choice} flush={rows.length > 0}>
        {rows.length === 0 ? (
          <Empty title={which === 'running' ? 'No task runs' : 'No task has stopped lately'}>
            {which === 'running' ? 'The events below say what the service waits for.' : undefined}
          </Empty>
        ) : (
          <Table
            caption={which === 'running' ? 'Running tasks' : 'Stopped tasks'}
            rows={rows}
            keyOf={idOf}
            columns={[
              {
                name: 'Task',
                cell: (task) => <code title={task.taskArn}>{idOf(task).slice(0, 12)}</code>,
              },
              {
                name: 'Status',
                cell: ({ lastStatus, healthStatus }) => <Status health={healthOfTask(lastStatus, healthStatus)} />,
              },
              { name: 'Revision', cell: ({ taskDefinitionArn }) => <Plain text={lastOf(taskDefinitionArn)} /> },
              {
                name: which === 'running' ? 'Host' : 'Why',
                wide: true,
                cell: (task) =>
                  which === 'running' ? (
                    <code>{lastOf(task.containerInstanceArn).slice(0, 12) || '—'}</code>
                  ) : (
                    <Plain text={whyStopped(task.stoppedReason, task.containers)} />
                  ),
              },
              {
                name: which === 'running' ? 'Started' : 'Stopped',
                cell: ({ startedAt, createdAt, stoppedAt }) => (
                  <Ago at={which === 'running' ? (startedAt ?? createdAt) : stoppedAt} />
                ),
              },
              ...(actions
                ? [
                    {
                      name: 'Actions',
                      cell: (task: Task) => (
                        <div class="row">
                          {mayExec && isOpenToExec(task) ? (
                            <Button
                              kind="quiet"
                              label={`Terminal in task ${idOf(task).slice(0, 12)}`}
                              onClick={() => setInside(task)}
                            >
                              Terminal
                            </Button>
                          ) : null}
                          {mayStop ? (
                            <Button
                              kind="quiet"
                              label={`Stop task ${idOf(task).slice(0, 12)}`}
                              onClick={() => setStopping(task)}
                            >
                              Stop
                            </Button>
                          ) : null}
                        </div>
                      ),
                    },
                  ]
                : []),
            ]}
          />
        )}
        {rows.length >= mostTasks ? <p class="faint body">Only {mostTasks} of them are shown.</p> : null}
        {stopping === undefined ? null : (
          <Dialog
            title="Stop this task?"
            yes="Stop"
            kind="danger"
            done="The task is told to stop."
            act={async () => {
              await ecs('StopTask', { cluster, task: stopping.taskArn, reason: 'Stopped in the console' });
              again();
            }}
            close={() => setStopping(undefined)}
          >
            <p>
              The service starts another one for <code>{idOf(stopping).slice(0, 12)}</code>.
            </p>
          </Dialog>
        )}
      </Panel>
      {inside === undefined ? null : (
        <ExecPanel key={inside.taskArn} cluster={cluster} task={inside} close={() => setInside(undefined)} />
      )}
    </>
  );
}
