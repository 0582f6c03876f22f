import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLive } from './live.ts';
import { Ago, Empty, LiveMark, Loading, Panel, Plain, Refusal, Table } from './parts.tsx';
import { readRepositories } from './repositories-data.ts';
import { link } from './route.ts';

/** Every repository of the registry. */
export function RepositoriesPage(): JSX.Element {
  const { data, error, at } = useLive('repositories', readRepositories, 10_000);
  const [wanted, setWanted] = useState('');
  const rows = (data ?? []).filter(({ repositoryName = '' }) => repositoryName.includes(wanted.toLowerCase()));
  const search = (
    <input
      type="search"
      placeholder="Find a repository"
      aria-label="Find a repository"
      value={wanted}
      onInput={(event) => setWanted(event.currentTarget.value)}
    />
  );
  return (
    <>
      <header class="page">
        <h1>Repositories</h1>
        <LiveMark at={at} error={error} />
      </header>
      {error === undefined ? null : <Refusal error={error} />}
      {data === undefined ? (
        error === undefined ? (
          <Loading what="repositories" />
        ) : null
      ) : (
        <Panel title="Images by repository" flush={rows.length > 0} aside={data.length > 5 ? search : undefined}>
          {rows.length === 0 ? (
            <Empty title={data.length === 0 ? 'There is no repository yet' : 'No repository has that in its name'}>
              {data.length === 0 ? <code>aws ecr create-repository --repository-name web</code> : undefined}
            </Empty>
          ) : (
            <Table
              caption="Repositories"
              rows={rows.slice(0, 1000)}
              keyOf={({ repositoryName = '' }) => repositoryName}
              columns={[
                {
                  name: 'Repository',
                  cell: ({ repositoryName = '' }) => (
                    <a class="strong" href={link('repositories', repositoryName)}>
                      <Plain text={repositoryName} />
                    </a>
                  ),
                },
                {
                  name: 'Address',
                  wide: true,
                  cell: ({ repositoryUri }) => (
                    <code>
                      <Plain text={repositoryUri} />
                    </code>
                  ),
                },
                {
                  name: 'Tags',
                  cell: ({ imageTagMutability }) =>
                    imageTagMutability?.startsWith('IMMUTABLE') === true ? 'never move' : 'may move',
                },
                { name: 'Made', cell: ({ createdAt }) => <Ago at={createdAt} /> },
              ]}
            />
          )}
        </Panel>
      )}
    </>
  );
}
