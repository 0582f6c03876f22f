import { arnOf } from '@slipway/auth/kit';
import type * as sdk from '@aws-sdk/client-ecr';
import { createHash } from 'node:crypto';
import type { RecordStore } from '@slipway/storage/records';
import { severities } from '../advisories/index.ts';
import type { ListedImage } from '../images/index.ts';
import { type Finding, type ImageAddress, readScans, type ScanRecord } from '../scanning/index.ts';
import type { EcrPorts } from './ports.ts';

/** The state of a scan as the ECR API shows it; an image that is scanned continuously is `ACTIVE`. */
export function statusOf(scan: ScanRecord, continuous = false): sdk.ImageScanStatus {
  if (continuous && scan.status === 'COMPLETE')
    return { status: 'ACTIVE', description: 'Continuous scan is selected for image.' };
  return { status: scan.status, description: scan.description };
}

/** Times and counts; severities that did not occur are left out. */
export function findingsSummaryOf(scan: ScanRecord): sdk.ImageScanFindingsSummary {
  const counts = severities.flatMap((severity) => {
    const count = scan.counts?.[severity] ?? 0;
    return count > 0 ? [[severity, count] as const] : [];
  });
  return {
    ...(scan.completedAt === undefined ? {} : { imageScanCompletedAt: new Date(scan.completedAt) }),
    ...(scan.knowledgeFrom === undefined ? {} : { vulnerabilitySourceUpdatedAt: new Date(scan.knowledgeFrom) }),
    findingSeverityCounts: Object.fromEntries(counts),
  };
}

/** A finding of basic scanning, with the attributes that ECR gives. */
export function findingOf(finding: Finding): sdk.ImageScanFinding {
  const attributes: sdk.Attribute[] = [
    { key: 'package_name', value: finding.package.name },
    { key: 'package_version', value: finding.package.version },
  ];
  if (finding.fixedIn !== undefined) attributes.push({ key: 'fixed_in_version', value: finding.fixedIn });
  if (finding.score) {
    const family = `CVSS${finding.score.version.split('.')[0] ?? ''}`;
    attributes.push({ key: `${family}_VECTOR`, value: finding.score.vector });
    attributes.push({ key: `${family}_SCORE`, value: String(finding.score.score) });
  }
  return {
    name: finding.name,
    ...(finding.description === '' ? {} : { description: finding.description }),
    ...(finding.uri === '' ? {} : { uri: finding.uri }),
    severity: finding.severity,
    attributes,
  };
}

const managers: Readonly<Record<string, string>> = {
  deb: 'OS',
  apk: 'OS',
  rpm: 'OS',
  npm: 'NODEPKG',
  pypi: 'PYTHONPKG',
  golang: 'GOBINARY',
  maven: 'JAR',
  gem: 'GEMSPEC',
};

/** A finding of enhanced scanning. */
export function enhancedFindingOf(
  ports: Pick<EcrPorts, 'region' | 'resources'>,
  image: ImageAddress,
  scan: ScanRecord,
  finding: Finding,
  listed: ListedImage | undefined,
): sdk.EnhancedImageScanFinding {
  const { account, repository, digest } = image;
  const { package: pack, score } = finding;
  const id = createHash('sha256')
    .update([repository, digest, finding.name, pack.name, pack.version, pack.path ?? ''].join('\n'))
    .digest('hex')
    .slice(0, 32);
  const completedAt = new Date(scan.completedAt ?? scan.requestedAt);
  return {
    awsAccountId: account,
    findingArn: arnOf({ service: 'inspector2', region: ports.region, account, resource: `finding/${id}` }),
    title: `${finding.name} - ${pack.name}`,
    description: finding.description,
    type: 'PACKAGE_VULNERABILITY',
    severity: finding.severity === 'UNDEFINED' ? 'UNTRIAGED' : finding.severity,
    status: 'ACTIVE',
    firstObservedAt: new Date(scan.firstCompletedAt ?? completedAt),
    lastObservedAt: completedAt,
    updatedAt: completedAt,
    fixAvailable: finding.fixedIn === undefined ? 'NO' : 'YES',
    ...(score
      ? {
          score: score.score,
          scoreDetails: {
            cvss: { score: score.score, scoreSource: 'OSV', scoringVector: score.vector, version: score.version },
          },
        }
      : {}),
    packageVulnerabilityDetails: {
      vulnerabilityId: finding.name,
      source: finding.source?.split('-')[0] ?? 'OSV',
      ...(finding.uri === '' ? {} : { sourceUrl: finding.uri }),
      referenceUrls: [...(finding.references ?? [])],
      relatedVulnerabilities: finding.source !== undefined && finding.source !== finding.name ? [finding.source] : [],
      ...(score
        ? { cvss: [{ baseScore: score.score, scoringVector: score.vector, source: 'OSV', version: score.version }] }
        : {}),
      ...(finding.published === undefined ? {} : { vendorCreatedAt: new Date(finding.published) }),
      ...(finding.modified === undefined ? {} : { vendorUpdatedAt: new Date(finding.modified) }),
      vendorSeverity: finding.severity,
      vulnerablePackages: [
        {
          name: pack.name,
          version: pack.version,
          ...(pack.architecture === undefined ? {} : { arch: pack.architecture }),
          ...(pack.path === undefined ? {} : { filePath: pack.path }),
          ...(pack.type === undefined ? {} : { packageManager: managers[pack.type] ?? pack.type.toUpperCase() }),
          ...(finding.fixedIn === undefined ? {} : { fixedInVersion: finding.fixedIn }),
        },
      ],
    },
    remediation: {
      recommendation: {
        text: finding.fixedIn === undefined ? 'None Provided' : `Update ${pack.name} to ${finding.fixedIn}.`,
      },
    },
    resources: [
      {
        type: 'AWS_ECR_CONTAINER_IMAGE',
        id: `${ports.resources.arn(account, repository)}/${digest}`,
        details: {
          awsEcrContainerImage: {
            imageHash: digest,
            registry: account,
            repositoryName: repository,
            ...(listed ? { imageTags: [...listed.tags], pushedAt: new Date(listed.pushedAt) } : {}),
            ...(scan.distribution ? { platform: `${scan.distribution.id} ${scan.distribution.version}`.trim() } : {}),
          },
        },
      },
    ],
  };
}

/** What DescribeImages shows of the scans of some images, in one read; images without a scan are not in the map. */
export async function scanSummaries(
  records: RecordStore,
  account: string,
  repository: string,
  digests: readonly string[],
): Promise<ReadonlyMap<string, Pick<sdk.ImageDetail, 'imageScanStatus' | 'imageScanFindingsSummary'>>> {
  const found = await readScans(records, account, repository, digests);
  const summaries = new Map<string, Pick<sdk.ImageDetail, 'imageScanStatus' | 'imageScanFindingsSummary'>>();
  for (const digest of digests) {
    const scan = found.get(digest);
    if (scan === undefined) continue;
    summaries.set(digest, {
      imageScanStatus: statusOf(scan),
      ...(scan.counts === undefined ? {} : { imageScanFindingsSummary: findingsSummaryOf(scan) }),
    });
  }
  return summaries;
}
