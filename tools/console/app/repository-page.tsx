import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { bytes, plural, visible } from './format.ts';
import { InsideImage } from './inside.tsx';
import { Lifecycle } from './lifecycle.tsx';
import { useLive } from './live.ts';
import { Ago, Answered, Button, Empty, LiveMark, Panel, Plain } from './parts.tsx';
import { Table } from './table.tsx';
import { findingsOf, mostImages, readRepository, type RepositoryData, usersOf } from './repositories-data.ts';
import { link } from './route.ts';
import { ScanFindings } from './scan-findings.tsx';
import type { ImageDetail } from './types.ts';

/** One repository: its images with tags and sizes, who runs and pulls them, what scans found. */
export function RepositoryPage({ name }: { readonly name: string }): JSX.Element {
  const live = useLive(`repository ${name}`, (signal) => readRepository(name, signal), 10_000);
  return (
    <>
      <nav class="path" aria-label="Where this is">
        <a href={link('repositories')}>Repositories</a>
      </nav>
      <header class="page">
        <h1>
          <Plain text={name} />
        </h1>
        <LiveMark live={live} />
      </header>
      <Answered live={live} what="images">
        {(data) => <Body data={data} />}
      </Answered>
    </>
  );
}

function Body({ data }: { readonly data: RepositoryData }): JSX.Element {
  const { repository, images } = data;
  const [chosen, setChosen] = useState<string>();
  const image = images.find(({ imageDigest }) => imageDigest === chosen);
  const uri = repository.repositoryUri ?? '';
  const [newest] = images;
  const size = images.reduce((sum, { imageSizeInBytes = 0 }) => sum + imageSizeInBytes, 0);
  return (
    <>
      <dl class="facts">
        <div>
          <dt>Images</dt>
          <dd>{images.length}</dd>
        </div>
        <div>
          <dt>Size, layers counted for each</dt>
          <dd>{bytes(size)}</dd>
        </div>
        <div>
          <dt>Tags</dt>
          <dd>{repository.imageTagMutability?.startsWith('IMMUTABLE') === true ? 'never move' : 'may move'}</dd>
        </div>
        <div>
          <dt>Pull the newest</dt>
          <dd class="wrap">
            <code>docker pull {visible(newest === undefined ? uri : pullName(uri, newest))}</code>
          </dd>
        </div>
      </dl>
      <Panel title="Images" flush={images.length > 0}>
        {images.length === 0 ? (
          <Empty title="No image was pushed yet">
            <code>docker push {visible(uri)}:latest</code>
          </Empty>
        ) : (
          <Table
            caption="Images, the newest first"
            rows={images}
            keyOf={({ imageDigest = '' }) => imageDigest}
            columns={[
              { name: 'Tags', cell: ({ imageTags = [] }) => <Tags tags={imageTags} /> },
              {
                name: 'Digest',
                cell: ({ imageDigest = '' }) => (
                  <Button
                    kind="quiet"
                    pressed={chosen === imageDigest}
                    label={`Look into ${imageDigest.slice(7, 19)}`}
                    onClick={() => setChosen(chosen === imageDigest ? undefined : imageDigest)}
                  >
                    <code title={imageDigest}>{imageDigest.slice(7, 19)}</code>
                  </Button>
                ),
              },
              {
                name: 'Size',
                number: true,
                cell: ({ imageSizeInBytes }) => (imageSizeInBytes === undefined ? '—' : bytes(imageSizeInBytes)),
              },
              { name: 'Pushed', cell: ({ imagePushedAt }) => <Ago at={imagePushedAt} /> },
              { name: 'Last pulled', cell: ({ lastRecordedPullTime }) => <Ago at={lastRecordedPullTime} /> },
              { name: 'Runs in', cell: (one) => <Users names={usersOf(one, data.usedBy)} /> },
              {
                name: 'Scan',
                cell: (one) => {
                  const found = findingsOf(one);
                  if (found === undefined) return <span class="faint">not scanned</span>;
                  return (
                    <Button
                      kind="quiet"
                      pressed={chosen === one.imageDigest}
                      label={`Findings of ${one.imageTags?.[0] ?? one.imageDigest ?? ''}: ${found}`}
                      onClick={() => setChosen(chosen === one.imageDigest ? undefined : one.imageDigest)}
                    >
                      {found}
                    </Button>
                  );
                },
              },
            ]}
          />
        )}
        {images.length >= mostImages ? <p class="faint body">Only {mostImages} images are shown.</p> : null}
      </Panel>
      {image === undefined ? null : (
        <>
          {findingsOf(image) === undefined ? null : (
            <ScanFindings key={chosen} repository={repository.repositoryName ?? ''} image={image} />
          )}
          <InsideImage key={chosen} repository={repository.repositoryName ?? ''} image={image} images={images} />
        </>
      )}
      <Lifecycle repository={repository.repositoryName ?? ''} />
    </>
  );
}

/** What names an image: its first tag, else its digest. */
const pullName = (uri: string, { imageTags = [], imageDigest = '' }: ImageDetail): string =>
  imageTags[0] === undefined ? `${uri}@${imageDigest}` : `${uri}:${imageTags[0]}`;

function Tags({ tags }: { readonly tags: readonly string[] }): JSX.Element {
  if (tags.length === 0) return <span class="faint">no tag</span>;
  return (
    <>
      {tags.slice(0, 6).map((tag) => (
        <span key={tag} class="tag">
          <Plain text={tag} />
        </span>
      ))}
      {tags.length > 6 ? <span class="faint"> and {plural(tags.length - 6, 'more', 'more')}</span> : null}
    </>
  );
}

function Users({ names }: { readonly names: readonly string[] }): JSX.Element {
  if (names.length === 0) return <span class="faint">—</span>;
  return (
    <>
      {names.map((name) => (
        <span key={name}>
          <a href={link('services', ...name.split('/'))}>
            <Plain text={name.split('/').at(-1)} />
          </a>{' '}
        </span>
      ))}
    </>
  );
}
