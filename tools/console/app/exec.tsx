import type { ComponentType, JSX } from 'preact';
import { useState } from 'preact/hooks';
import { AwsError } from './aws.ts';
import { visible } from './format.ts';
import { Button, Loading, Panel, Refusal } from './parts.tsx';
import type { Target } from './terminal/connection.ts';
import type { Task } from './types.ts';

type Terminal = ComponentType<{ readonly target: Target; readonly close: () => void }>;

/** Loaded when it is first wanted: it is several times what everything else is. */
const loadTerminal = async (): Promise<Terminal> => (await import('./terminal/panel.tsx')).default;

/** Containers of a task that a command can be run in now. */
export const containersOf = ({ lastStatus, enableExecuteCommand, containers = [] }: Task): readonly string[] =>
  lastStatus !== 'RUNNING' || enableExecuteCommand !== true
    ? []
    : containers.flatMap(({ name, managedAgents = [] }) =>
        name !== undefined && managedAgents.some((agent) => agent.lastStatus === 'RUNNING') ? [name] : [],
      );

export const isOpenToExec = (task: Task): boolean => containersOf(task).length > 0;

/** Asks for the container where there are several, and what to run; then it is a terminal. */
export function ExecPanel(props: {
  readonly cluster: string;
  readonly task: Task;
  readonly close: () => void;
}): JSX.Element {
  const { cluster, task, close } = props;
  // As it was when it was opened: a session goes on while the list beside it changes.
  const [names] = useState(() => containersOf(task));
  const [container, setContainer] = useState(names[0] ?? '');
  const [command, setCommand] = useState('sh');
  const [Terminal, setTerminal] = useState<Terminal>();
  const [state, setState] = useState<'asking' | 'loading' | 'running'>('asking');
  const [error, setError] = useState<AwsError>();
  const start = async (): Promise<void> => {
    setState('loading');
    setError(undefined);
    try {
      const loaded = await loadTerminal();
      setTerminal(() => loaded);
      setState('running');
    } catch {
      setError(new AwsError('', 'NoAnswer', 'The terminal could not be loaded.', ''));
      setState('asking');
    }
  };
  if (state === 'running' && Terminal !== undefined)
    return <Terminal target={{ cluster, task: task.taskArn ?? '', container, command }} close={close} />;
  return (
    <Panel title="Open a terminal">
      {error === undefined ? null : <Refusal error={error} />}
      {state === 'loading' ? <Loading what="the terminal" /> : null}
      <form
        class="question"
        onSubmit={(event) => {
          event.preventDefault();
          start().catch(() => undefined);
        }}
      >
        <label>
          <span>Container</span>
          <select value={container} onChange={({ currentTarget: { value } }) => setContainer(value)}>
            {names.map((name) => (
              <option key={name} value={name}>
                {visible(name)}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Command</span>
          <input required value={command} onInput={({ currentTarget: { value } }) => setCommand(value)} />
        </label>
        <div class="actions">
          <Button type="submit" kind="primary" disabled={state === 'loading'}>
            Open
          </Button>
          <Button onClick={close}>Cancel</Button>
        </div>
      </form>
    </Panel>
  );
}
