import type { JSX } from 'preact';
import { bytes, plural, visible } from './format.ts';
import { type Inside, kindOf, readInside } from './image-data.ts';
import { useLive } from './live.ts';
import { Answered, Empty, Panel, Plain } from './parts.tsx';
import { Table } from './table.tsx';
import type { ImageDetail } from './types.ts';

/** What one image is made of and shares with others, and what was said of it: signatures, SBOMs. */
export function InsideImage(props: {
  readonly repository: string;
  readonly image: ImageDetail;
  readonly images: readonly ImageDetail[];
}): JSX.Element {
  const { repository, image, images } = props;
  const { imageDigest = '', imageTags } = image;
  const live = useLive(
    `inside ${repository} ${imageDigest}`,
    (signal) => readInside(repository, imageDigest, images, signal),
    30_000,
  );
  const name = imageTags?.[0] ?? imageDigest.slice(7, 19);
  return (
    <Answered live={live} what="the image">
      {(inside) => (
        <>
          <Panel title={`What refers to ${name}`} flush={inside.referrers.length > 0}>
            <Referrers inside={inside} />
          </Panel>
          <Panel
            title={`Layers of ${name}`}
            flush={inside.layers.length > 0 || inside.platforms.length > 0}
            aside={<Shared inside={inside} />}
          >
            <Layers inside={inside} />
          </Panel>
        </>
      )}
    </Answered>
  );
}

function Referrers({ inside: { referrers } }: { readonly inside: Inside }): JSX.Element {
  if (referrers.length === 0)
    return (
      <Empty title="Nothing refers to it">
        Signatures, SBOMs and attestations that are pushed for this image are shown here.
      </Empty>
    );
  return (
    <Table
      caption="What refers to the image"
      rows={referrers}
      keyOf={({ digest }) => digest}
      columns={[
        { name: 'Kind', cell: (one) => <span class="strong">{kindOf(one)}</span> },
        {
          name: 'Type',
          cell: ({ artifactType }) => (
            <code>
              <Plain text={artifactType} />
            </code>
          ),
        },
        { name: 'Digest', cell: ({ digest }) => <code title={digest}>{digest.slice(7, 19)}</code> },
        { name: 'Size', number: true, cell: ({ size }) => bytes(size) },
        {
          name: 'Annotations',
          wide: true,
          cell: ({ annotations }) => (
            <span class="faint">
              {Object.entries(annotations)
                .slice(0, 10)
                .map(([key, value]) => visible(`${key}: ${value}`))
                .join(', ')}
            </span>
          ),
        },
      ]}
    />
  );
}

function Shared({ inside: { layers, compared } }: { readonly inside: Inside }): JSX.Element | null {
  if (layers.length === 0) return null;
  const sum = (some: readonly { readonly size: number }[]): number => some.reduce((all, { size }) => all + size, 0);
  const shared = sum(layers.filter(({ others }) => others > 0));
  return (
    <span class="faint">
      {bytes(shared)} of {bytes(sum(layers))} are in other images too, of {plural(compared, 'image')} that were compared
    </span>
  );
}

function Layers({ inside: { layers, platforms } }: { readonly inside: Inside }): JSX.Element {
  if (platforms.length > 0)
    return (
      <Table
        caption="Images of the index"
        rows={platforms}
        keyOf={({ digest }) => digest}
        columns={[
          { name: 'Platform', cell: ({ name }) => <Plain text={name} /> },
          { name: 'Digest', wide: true, cell: ({ digest }) => <code>{visible(digest)}</code> },
        ]}
      />
    );
  if (layers.length === 0) return <Empty title="Its manifest names no layers, or is not shown to you" />;
  return (
    <Table
      caption="Layers, the lowest first"
      rows={layers.map((layer, at) => ({ ...layer, at: String(at) }))}
      keyOf={({ at }) => at}
      columns={[
        { name: 'Layer', wide: true, cell: ({ digest }) => <code title={digest}>{digest.slice(7, 19)}</code> },
        { name: 'Size', number: true, cell: ({ size }) => bytes(size) },
        {
          name: 'Shared with',
          cell: ({ others }) => (others === 0 ? <span class="faint">no other</span> : plural(others, 'other image')),
        },
      ]}
    />
  );
}
