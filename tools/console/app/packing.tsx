import type { JSX } from 'preact';
import type { Host, Task } from './types.ts';

/** The tasks of one service, or of one family, on a host. */
export interface Block {
  readonly group: string;
  readonly count: number;
  /** CPU units and MiB that they reserve together. */
  readonly cpu: number;
  readonly memory: number;
  /** Which of the colours it has: the same on every host. */
  readonly hue: number;
}

const hues = 6;

/** What runs on a host, by service; what is of none, by the family of its task definition. */
export function blocksOf(tasks: readonly Task[]): readonly Block[] {
  const groups = Map.groupBy(tasks, ({ group = '' }) => group.replace(/^(?:service|family):/, ''));
  return [...groups]
    .map(([group, own]): Block => ({
      group,
      count: own.length,
      cpu: own.reduce((sum, { cpu }) => sum + (Number(cpu) || 0), 0),
      memory: own.reduce((sum, task) => sum + memoryOf(task), 0),
      hue: hueOf(group),
    }))
    .toSorted((a, b) => a.group.localeCompare(b.group));
}

/** MiB that a task reserves: its own, else what its containers do. */
function memoryOf({ memory, containers = [] }: Task): number {
  const own = Number(memory) || 0;
  if (own > 0) return own;
  return containers.reduce((sum, container) => sum + (Number(container.memoryReservation ?? container.memory) || 0), 0);
}

function hueOf(text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) % 997;
  return sum % hues;
}

/** How full a host is, and by what: one bar of a resource. */
export function Packing(props: {
  readonly name: string;
  readonly host: Host;
  readonly resource: 'CPU' | 'MEMORY';
  readonly blocks: readonly Block[];
}): JSX.Element | null {
  const { name, host, resource, blocks } = props;
  const of = (list: Host['registeredResources']): number =>
    list?.find((one) => one.name === resource)?.integerValue ?? 0;
  const [all, left] = [of(host.registeredResources), of(host.remainingResources)];
  if (all === 0) return null;
  const used = Math.max(0, all - left);
  const sizes = blocks.map(({ cpu, memory, hue }) => ({ size: resource === 'CPU' ? cpu : memory, hue }));
  let from = 0;
  const percent = Math.round((used / all) * 100);
  return (
    <div class="meter">
      <span>{name}</span>
      <svg
        viewBox="0 0 100 10"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${name}: ${percent} % of it is reserved by tasks`}
        class="packing"
      >
        <rect class="track" width="100" height="10" />
        <rect class="fill" width={(used / all) * 100} height="10" />
        {sizes.map(({ size, hue }, at) => {
          const x = (from / all) * 100;
          from += size;
          return <rect key={at} class={`hue-${hue}`} x={x} width={(size / all) * 100} height="10" />;
        })}
      </svg>
      <span class="number">{percent} %</span>
    </div>
  );
}
