import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { BalancersPage } from './balancers-page.tsx';
import { DashboardPage, DashboardsPage } from './dashboards-page.tsx';
import { DeploymentsPage } from './deployments-page.tsx';
import { EventsPage } from './events-page.tsx';
import { HostsPage } from './hosts-page.tsx';
import { IdentityPages } from './identity-page.tsx';
import { InstallationPage } from './installation-page.tsx';
import { Mark } from './mark.tsx';
import { OverviewPage } from './overview.tsx';
import { Button, Empty } from './parts.tsx';
import { RepositoriesPage } from './repositories-page.tsx';
import { RepositoryPage } from './repository-page.tsx';
import { link, type Route, useRoute } from './route.ts';
import { ServicePage } from './service.tsx';
import { type Session, signOut } from './session.ts';

interface Place {
  readonly name: string;
  /** First part of the addresses of its pages. */
  readonly at: string;
  readonly page: (route: Route) => JSX.Element;
}

/** What the navigation lists, and the pages behind it. */
const places: readonly Place[] = [
  { name: 'Overview', at: '', page: () => <OverviewPage /> },
  { name: 'Deployments', at: 'deployments', page: () => <DeploymentsPage /> },
  { name: 'Hosts', at: 'hosts', page: () => <HostsPage /> },
  { name: 'Load balancers', at: 'balancers', page: () => <BalancersPage /> },
  {
    name: 'Repositories',
    at: 'repositories',
    page: ([, name]) => (name === undefined ? <RepositoriesPage /> : <RepositoryPage key={name} name={name} />),
  },
  {
    name: 'Dashboards',
    at: 'dashboards',
    page: ([, name]) => (name === undefined ? <DashboardsPage /> : <DashboardPage key={name} name={name} />),
  },
  { name: 'Events', at: 'events', page: ([, ...service]) => <EventsPage chosen={service.slice(0, 2).join('/')} /> },
  { name: 'Identity', at: 'identity', page: ([, ...route]) => <IdentityPages route={route} /> },
  { name: 'Health', at: 'health', page: () => <InstallationPage /> },
];

function pageOf(route: Route): JSX.Element {
  const [first = '', cluster, name] = route;
  if (first === 'services' && cluster !== undefined && name !== undefined)
    return <ServicePage key={`${cluster}/${name}`} cluster={cluster} name={name} />;
  return (
    places.find(({ at }) => at === first)?.page(route) ?? (
      <Empty title="There is no such page">
        Go back to the <a href={link()}>overview</a>.
      </Empty>
    )
  );
}

/** What stands around every page: where one can go, and who one is. */
export function Shell({ session }: { readonly session: Session }): JSX.Element {
  const route = useRoute();
  const [first = ''] = route;
  const active = first === 'services' ? '' : first;
  useEffect(() => {
    const place = places.find(({ at }) => at === active)?.name ?? 'Slipway';
    document.title = `${first === 'services' ? (route[2] ?? '') : place} – Slipway`;
  }, [route.join('/')]);
  return (
    <div class="shell">
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <nav aria-label="Pages">
        <a class="brand" href={link()}>
          <Mark />
          <span>Slipway</span>
        </a>
        <ul>
          {places.map(({ name, at }) => (
            <li key={name}>
              <a href={link(...(at === '' ? [] : [at]))} aria-current={at === active ? 'page' : undefined}>
                {name}
              </a>
            </li>
          ))}
        </ul>
        <div class="who">
          <p title={session.arn}>
            <span class="strong">{session.arn.split(/[:/]/).at(-1)}</span>
            <span class="faint">{session.account}</span>
            <span class="faint">{session.region}</span>
          </p>
          <Button
            kind="quiet"
            onClick={() => {
              signOut().catch(() => undefined);
            }}
          >
            Sign out
          </Button>
        </div>
      </nav>
      <main id="content" tabIndex={-1}>
        {pageOf(route)}
      </main>
    </div>
  );
}

/** The address is the page's, so the jump is made by hand. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('content')?.focus();
}
