import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useLive } from './live.ts';
import { Ago, Answered, Empty, LiveMark, Panel, Plain } from './parts.tsx';
import { Table } from './table.tsx';
import { readRepositories } from './repositories-data.ts';
import { link } from './route.ts';
import type { Repository } from './types.ts';

/** Every repository of the registry. */
export function RepositoriesPage(): JSX.Element {
  const live = useLive('repositories', readRepositories, 10_000);
  return (
    <>
      <header class="page">
        <h1>Repositories</h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="repositories">
        {(repositories) => <Repositories repositories={repositories} />}
      </Answered>
    </>
  );
}

function Repositories({ repositories }: { readonly repositories: readonly Repository[] }): JSX.Element {
  const [wanted, setWanted] = useState('');
  const rows = repositories.filter(({ repositoryName = '' }) => repositoryName.includes(wanted.toLowerCase()));
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
    <Panel title="Images by repository" flush={rows.length > 0} aside={repositories.length > 5 ? search : undefined}>
      {rows.length === 0 ? (
        <Empty title={repositories.length === 0 ? 'There is no repository yet' : 'No repository has that in its name'}>
          {repositories.length === 0 ? <code>aws ecr create-repository --repository-name web</code> : undefined}
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
  );
}
