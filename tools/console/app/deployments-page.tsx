import type { JSX } from 'preact';
import { CurrentDeployment, isUnderWay } from './deployments.tsx';
import { lastOf, plural } from './format.ts';
import { healthOf, isDeploying, primaryOf } from './health.ts';
import { useLive } from './live.ts';
import { readOverview } from './overview-data.ts';
import { Ago, Empty, LiveMark, Loading, Panel, Plain, Refusal, Status, Table } from './parts.tsx';
import { link } from './route.ts';
import { deploymentsOf, type History } from './service-data.ts';
import type { ServiceRow } from './types.ts';

interface UnderWay extends History {
  readonly service: ServiceRow;
}

interface Deployments {
  readonly underWay: readonly UnderWay[];
  readonly services: readonly ServiceRow[];
}

/** Deployments under way that the page shows with all they wait for. */
const mostUnderWay = 20;

async function read(signal: AbortSignal): Promise<Deployments> {
  const { services, refused } = await readOverview(signal);
  const [refusal] = refused.filter(({ operation }) => /Clusters|Services/.test(operation));
  if (refusal !== undefined && services.length === 0) throw refusal;
  const deploying = services.filter((service) => isDeploying(service) || mayWait(service)).slice(0, mostUnderWay);
  const underWay = await Promise.all(
    deploying.map(async (service) => ({
      service,
      ...(await deploymentsOf(lastOf(service.clusterArn), service.serviceName ?? '', signal, 2)),
    })),
  );
  return { underWay: underWay.filter(({ deployments }) => deployments[0] && isUnderWay(deployments[0])), services };
}

/** A revision that bakes, or waits for a person, has all of its tasks and is not over. */
const mayWait = ({ deployments }: ServiceRow): boolean => primaryOf(deployments)?.rolloutState === 'IN_PROGRESS';

/** What is being deployed and what was last, over all services; what waits for a person is decided here. */
export function DeploymentsPage(): JSX.Element {
  const { data, error, at, again } = useLive('deployments', read, 3000);
  return (
    <>
      <header class="page">
        <h1>Deployments</h1>
        <LiveMark at={at} error={error} />
      </header>
      {error === undefined ? null : <Refusal error={error} />}
      {data === undefined ? (
        error === undefined ? (
          <Loading what="deployments" />
        ) : null
      ) : (
        <>
          <Panel
            title="Under way"
            flush
            aside={<span class="faint">{plural(data.underWay.length, 'deployment')}</span>}
          >
            {data.underWay.length === 0 ? (
              <Empty title="No deployment is under way">A push to a tag that a service follows begins one.</Empty>
            ) : (
              data.underWay.map(({ service, deployments: [current], definitionOf }) =>
                current === undefined ? null : (
                  <article key={service.serviceArn} class="under-way" aria-label={service.serviceName}>
                    <h3>
                      <a href={addressOf(service)}>
                        <Plain text={service.serviceName} />
                      </a>{' '}
                      <span class="faint">
                        in <Plain text={lastOf(service.clusterArn)} />
                      </span>
                    </h3>
                    <CurrentDeployment deployment={current} definitionOf={definitionOf} again={again} />
                  </article>
                ),
              )
            )}
          </Panel>
          <Latest services={data.services} />
        </>
      )}
    </>
  );
}

const addressOf = ({ clusterArn, serviceName = '' }: ServiceRow): string =>
  link('services', lastOf(clusterArn), serviceName);

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
            {
              name: 'Service',
              cell: (service) => (
                <a class="strong" href={addressOf(service)}>
                  <Plain text={service.serviceName} />
                </a>
              ),
            },
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
