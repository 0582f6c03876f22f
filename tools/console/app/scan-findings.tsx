import type { JSX } from 'preact';
import { ecr, pages } from './aws.ts';
import type { Health } from './health.ts';
import { useLive } from './live.ts';
import { Answered, Empty, Panel, Plain, Status } from './parts.tsx';
import { Table } from './table.tsx';
import type { ImageDetail } from './types.ts';

/** Findings that are shown; the worst come first. */
const mostFindings = 500;

const healths: Readonly<Record<string, Health>> = {
  CRITICAL: { level: 'bad', word: 'Critical' },
  HIGH: { level: 'bad', word: 'High' },
  MEDIUM: { level: 'warn', word: 'Medium' },
  LOW: { level: 'idle', word: 'Low' },
};

/** What a scan found in an image, with the version that mends it where there is one. */
export function ScanFindings({
  repository,
  image,
}: {
  readonly repository: string;
  readonly image: ImageDetail;
}): JSX.Element {
  const { imageDigest = '', imageTags } = image;
  const live = useLive(
    `findings ${repository} ${imageDigest}`,
    (signal) =>
      pages(
        (nextToken) =>
          ecr(
            'DescribeImageScanFindings',
            { repositoryName: repository, imageId: { imageDigest }, nextToken, maxResults: 500 },
            { signal },
          ),
        (page) => page.imageScanFindings?.findings,
        mostFindings,
      ),
    60_000,
  );
  return (
    <Panel title={`Findings in ${imageTags?.[0] ?? imageDigest.slice(7, 19)}`} flush={(live.data?.length ?? 0) > 0}>
      <Answered live={live} what="findings">
        {(found) =>
          found.length === 0 ? (
            <Empty title="The scan found nothing" />
          ) : (
            <Table
              caption="Findings, the worst first"
              rows={found.slice(0, mostFindings)}
              keyOf={({ name = '', attributes = [] }) =>
                `${name} ${attributes.map(({ value = '' }) => value).join(' ')}`
              }
              columns={[
                {
                  name: 'Severity',
                  cell: ({ severity = 'UNDEFINED' }) => <Status health={healths[severity] ?? unknown} />,
                },
                { name: 'Vulnerability', cell: ({ name }) => <Plain text={name} /> },
                { name: 'Package', cell: ({ attributes }) => <Plain text={attribute(attributes, 'package_name')} /> },
                {
                  name: 'Version',
                  cell: ({ attributes }) => <Plain text={attribute(attributes, 'package_version')} />,
                },
                {
                  name: 'Mended in',
                  cell: ({ attributes }) => <Plain text={attribute(attributes, 'fixed_in_version') ?? '—'} />,
                },
                {
                  name: 'What',
                  wide: true,
                  cell: ({ description }) => (
                    <span class="faint">
                      <Plain text={description} />
                    </span>
                  ),
                },
              ]}
            />
          )
        }
      </Answered>
    </Panel>
  );
}

const unknown: Health = { level: 'idle', word: 'Not rated' };

const attribute = (
  attributes: readonly { readonly key?: string | undefined; readonly value?: string | undefined }[] | undefined,
  name: string,
): string | undefined => attributes?.find(({ key }) => key === name)?.value;
