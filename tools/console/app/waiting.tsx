import type { JSX } from 'preact';
import { plural } from './format.ts';
import { primaryOf } from './health.ts';
import { Panel, Plain, ServiceLink } from './parts.tsx';
import type { ServiceRow } from './types.ts';

/** A service of which tasks have no host. */
export interface Waiting {
  readonly service: ServiceRow;
  /** Tasks of its newest deployment that are wanted and nowhere. */
  readonly missing: number;
  /** What the scheduler said of it last. */
  readonly why: string;
}

const refused = /was unable to place a task/;
const steady = /has reached a steady state/;

/**
 * The services whose tasks fit on no host, and why. The scheduler says a cause once and not again while it lasts, so what was said stands
 * until the service is steady, or lacks nothing.
 */
export function waitingOf(services: readonly ServiceRow[]): readonly Waiting[] {
  return services.flatMap((service) => {
    const { desiredCount = 0, runningCount = 0, pendingCount = 0 } = primaryOf(service.deployments) ?? {};
    const missing = desiredCount - runningCount - pendingCount;
    if (service.status !== 'ACTIVE' || missing <= 0) return [];
    // The newest comes first.
    const message = service.events?.find(
      (one) => refused.test(one.message ?? '') || steady.test(one.message ?? ''),
    )?.message;
    if (message === undefined || !refused.test(message)) return [];
    return [{ service, missing, why: message.replace(/^\(service [^)]*\) /, '') }];
  });
}

/** Tasks of a cluster that wait for a host, with the scheduler's reason. */
export function WaitingPanel({
  cluster,
  waiting,
}: {
  readonly cluster: string;
  readonly waiting: readonly Waiting[];
}): JSX.Element {
  return (
    <Panel title={`Tasks that fit on no host of ${cluster}`} flush>
      <ul class="list">
        {waiting.map(({ service, missing, why }) => (
          <li key={service.serviceArn} class="host">
            <p>
              <ServiceLink service={service} /> <span class="faint">lacks {plural(missing, 'task')}</span>
            </p>
            <p>
              <Plain text={why} />
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
