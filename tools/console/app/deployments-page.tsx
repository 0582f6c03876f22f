import type { JSX } from 'preact';
import { CurrentDeployment, isUnderWay } from './deployments.tsx';
import { lastOf, plural } from './format.ts';
import { healthOf, primaryOf } from './health.ts';
import { useLive } from './live.ts';
import { readServices } from './overview-data.ts';
import { Ago, Answered, Empty, LiveMark, Panel, Plain, ServiceLink, Status } from './parts.tsx';
import { Table } from './table.tsx';
import { deploymentsOf, type History } from './service-data.ts';
import type { ServiceRow } from './types.ts';

interface UnderWay extends History {
  readonly service: ServiceRow;
}

interface Deployments {
  readonly underWay: readonly UnderWay[];
  readonly services: readonly ServiceRow[];
  readonly clusters: readonly string[];
}

/** Deployments under way that the page shows with all they wait for. */
const mostUnderWay = 20;

async function read(signal: AbortSignal): Promise<Deployments> {
  const {
    clusters,
    services,
    refused: [refusal],
  } = await readServices(signal);
  if (refusal !== undefined && services.length === 0) throw refusal;
  const deploying = services.filter(mayBeUnderWay).slice(0, mostUnderWay);
  const underWay = await Promise.all(
    deploying.map(async (service) => ({
      service,
      ...(await deploymentsOf(lastOf(service.clusterArn), service.serviceName ?? '', signal, 2)),
    })),
  );
  return {
    underWay: underWay.filter(({ deployments }) => deployments[0] && isUnderWay(deployments[0])),
    services,
    clusters,
  };
}

/** Also a revision that bakes, or waits for a person: it has all of its tasks and is not over. */
const mayBeUnderWay = ({ deployments }: ServiceRow): boolean => primaryOf(deployments)?.rolloutState === 'IN_PROGRESS';

/** What is being deployed and what was last, over all services; what waits for a person is decided here. */
export function DeploymentsPage(): JSX.Element {
  const live = useLive('deployments', read, 3000, ({ clusters }) => clusters);
  return (
    <>
      <header class="page">
        <h1>Deployments</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="deployments">
        {({ underWay, services }) => (
          <>
            <Panel title="Under way" flush aside={<span class="faint">{plural(underWay.length, 'deployment')}</span>}>
              {underWay.length === 0 ? (
                <Empty title="No deployment is under way">A push to a tag that a service follows begins one.</Empty>
              ) : (
                underWay.map(({ service, deployments: [current], definitionOf }) =>
                  current === undefined ? null : (
                    <article key={service.serviceArn} class="under-way" aria-label={service.serviceName}>
                      <h3>
                        <ServiceLink service={service} />{' '}
                        <span class="faint">
                          in <Plain text={lastOf(service.clusterArn)} />
                        </span>
                      </h3>
                      <CurrentDeployment deployment={current} definitionOf={definitionOf} again={live.again} />
                    </article>
                  ),
                )
              )}
            </Panel>
            <Latest services={services} />
          </>
        )}
      </Answered>
    </>
  );
}

function Latest({ services }: { readonly services: readonly ServiceRow[] }): JSX.Element {
  const rows = services
    .filter(({ deployments = [] }) => deployments.length > 0)
    .toSorted((a, b) => (primaryOf(b.deployments)?.createdAt ?? 0) - (primaryOf(a.deployments)?.createdAt ?? 0))
    .slice(0, 100);
  return (
    <Panel title="The last of each service" flush={rows.length > 0}>
      {rows.length === 0 ? (
        <Empty title="There is no service yet" />
      ) : (
        <Table
          caption="The last deployment of each service"
          rows={rows}
          keyOf={({ serviceArn = '' }) => serviceArn}
          columns={[
            { name: 'Service', cell: (service) => <ServiceLink service={service} /> },
            { name: 'Revision', cell: ({ taskDefinition }) => <Plain text={lastOf(taskDefinition)} /> },
            { name: 'Health', cell: (service) => <Status health={healthOf(service)} /> },
            {
              name: 'Reason',
              wide: true,
              cell: ({ deployments }) => (
                <span class="faint">
                  <Plain text={primaryOf(deployments)?.rolloutStateReason} />
                </span>
              ),
            },
            { name: 'Begun', cell: ({ deployments }) => <Ago at={primaryOf(deployments)?.createdAt} /> },
          ]}
        />
      )}
    </Panel>
  );
}
