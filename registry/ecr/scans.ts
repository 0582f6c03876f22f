import type * as sdk from '@aws-sdk/client-ecr';
import { type AccessList, AwsError, type Call, type Operations } from '@slipway/auth/contract';
import { type FoundManifest, isIndexType, parseDigest, parseReference, parseTag } from '../images/index.ts';
import {
  changeScan,
  frequencyOf,
  isImage,
  readConfiguration,
  readFindings,
  readScan,
  type ScanningConfiguration,
  writeConfiguration,
} from '../scanning/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { pageSize, startOf, tokenFor } from './paging.ts';
import { enhancedFindingOf, findingOf, findingsSummaryOf, statusOf } from './scan-view.ts';
import { nameOf, onRegistry, onRepository, repositoryRequest, type EcrPorts, type Target, targetOf } from './ports.ts';

/** What the ECR API model limits beyond its schemas. */
export const scanningConstraints = {
  scanType: { values: ['BASIC', 'ENHANCED'] },
  scanFrequency: { values: ['SCAN_ON_PUSH', 'CONTINUOUS_SCAN', 'MANUAL'] },
  'PutRegistryScanningConfigurationRequest.rules': { max: 2 },
  'RegistryScanningRule.repositoryFilters': { max: 100 },
  'ScanningRepositoryFilter.filterType': { values: ['WILDCARD'] },
  'ScanningRepositoryFilter.filter': { min: 1, max: 256, pattern: /^[a-z0-9*](?:[._\-/a-z0-9*]*[a-z0-9*])?$/ },
  'BatchGetRepositoryScanningConfigurationRequest.repositoryNames': { min: 1, max: 25 },
} as const;

/** An image may be scanned once in so many milliseconds (ECR user guide, "Basic scanning"). */
const quotaTime = 24 * 3_600_000;

/** The operations on scans that are beside `PutImageScanningConfiguration`. */
export function scanningOperations(ports: EcrPorts) {
  const { images } = ports;
  const { records, clock } = images.ports;

  return {
    StartImageScan: operation({
      access: onRepository(ports, 'StartImageScan'),
      handle: async (input: sdk.StartImageScanCommandInput, call) => {
        const target = targetOf(input, call);
        const image = await imageOf(ports, target, input.imageId);
        const { account, name } = target;
        const { scanType } = await readConfiguration(records, account);
        if (scanType === 'ENHANCED') {
          throw new AwsError(
            'ValidationException',
            'This feature is disabled: with enhanced scanning, rules decide when images are scanned.',
          );
        }
        const listed = await images.manifests.listOne(account, name, image.digest);
        if (listed?.archivedAt !== undefined) {
          throw new AwsError(
            'ImageArchivedException',
            `The image with digest '${image.digest}' is archived; restore it before it is scanned.`,
          );
        }
        if (!(await isImage(images, account, name, image.digest))) {
          const index = isIndexType(image.mediaType);
          throw new AwsError(
            'UnsupportedImageTypeException',
            `The image with digest '${image.digest}' is of the type '${index ? image.mediaType : (listed?.artifactType ?? image.mediaType)}', which cannot be scanned${index ? '; scan the images in it' : ''}.`,
          );
        }
        const now = clock.now();
        const scan = await changeScan(records, { account, repository: name, digest: image.digest }, (before) => {
          // A scan that failed is not one.
          if (before && before.status !== 'FAILED' && now - before.requestedAt < quotaTime) {
            throw new AwsError(
              'LimitExceededException',
              'The scan quota per image has been exceeded. Wait and try again.',
            );
          }
          const next = { ...before, status: 'PENDING', description: '', cause: 'manual', requestedAt: now } as const;
          return { next, request: true };
        });
        if (scan === undefined) throw imageNotFound(target, input.imageId);
        return {
          registryId: account,
          repositoryName: name,
          imageId: idOf(input.imageId, image),
          imageScanStatus: { status: 'PENDING' as const, description: 'The scan was requested and begins shortly.' },
        };
      },
    }),

    DescribeImageScanFindings: operation({
      access: onRepository(ports, 'DescribeImageScanFindings'),
      handle: async (input: sdk.DescribeImageScanFindingsCommandInput, call) =>
        describeFindings(ports, targetOf(input, call), input),
    }),

    PutRegistryScanningConfiguration: operation({
      access: onRegistry('PutRegistryScanningConfiguration'),
      handle: async (input: sdk.PutRegistryScanningConfigurationCommandInput, call) => {
        const before = await readConfiguration(records, call.account);
        const next = configurationFrom(input, before);
        await writeConfiguration(records, call.account, next);
        return { registryScanningConfiguration: shownConfiguration(next) };
      },
    }),

    GetRegistryScanningConfiguration: operation({
      access: onRegistry('GetRegistryScanningConfiguration'),
      handle: async (_input: sdk.GetRegistryScanningConfigurationCommandInput, call) => ({
        registryId: call.account,
        scanningConfiguration: shownConfiguration(await readConfiguration(records, call.account)),
      }),
    }),

    BatchGetRepositoryScanningConfiguration: operation({
      access: async (
        input: sdk.BatchGetRepositoryScanningConfigurationCommandInput,
        call: Call,
      ): Promise<AccessList> => {
        const requests = await Promise.all(
          (input.repositoryNames ?? []).map((name) =>
            repositoryRequest(ports, 'BatchGetRepositoryScanningConfiguration', call.account, name),
          ),
        );
        const [first, ...rest] = requests;
        if (first === undefined) throw invalidParameter("'repositoryNames' must have 1 to 25 entries");
        return [first, ...rest];
      },
      handle: async (input: sdk.BatchGetRepositoryScanningConfigurationCommandInput, call) => {
        const configuration = await readConfiguration(records, call.account);
        const scanningConfigurations: sdk.RepositoryScanningConfiguration[] = [];
        const failures: sdk.RepositoryScanningConfigurationFailure[] = [];
        for (const text of input.repositoryNames ?? []) {
          const repositoryName = nameOf({ repositoryName: text });
          const repository = await images.repositories.find(call.account, repositoryName);
          if (repository === undefined) {
            failures.push({
              repositoryName,
              failureCode: 'REPOSITORY_NOT_FOUND',
              failureReason: `The repository with name '${repositoryName}' does not exist in the registry with id '${call.account}'`,
            });
            continue;
          }
          const { frequency, filters } = frequencyOf(configuration, repository);
          scanningConfigurations.push({
            repositoryArn: ports.resources.arn(call.account, repositoryName),
            repositoryName,
            scanOnPush: frequency !== 'MANUAL',
            scanFrequency: frequency,
            appliedScanFilters: [...filters],
          });
        }
        return { scanningConfigurations, failures };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

async function describeFindings(ports: EcrPorts, target: Target, input: sdk.DescribeImageScanFindingsCommandInput) {
  const { images } = ports;
  const { account, name } = target;
  const { records, signing } = { records: images.ports.records, signing: images.signing };
  const found = await imageOf(ports, target, input.imageId);
  const image = { account, repository: name, digest: found.digest };
  const scan = await readScan(records, image);
  if (scan === undefined) {
    throw new AwsError(
      'ScanNotFoundException',
      `Image scan does not exist for the image with '${shownId(input.imageId)}' in the repository with name '${name}' in the registry with id '${account}'`,
    );
  }
  const configuration = await readConfiguration(records, account);
  const enhanced = configuration.scanType === 'ENHANCED';
  const repository = await images.repositories.get(account, name);
  const answer = {
    registryId: account,
    repositoryName: name,
    imageId: idOf(input.imageId, found),
    imageScanStatus: statusOf(scan, enhanced && frequencyOf(configuration, repository).frequency === 'CONTINUOUS_SCAN'),
  };
  // Findings of an earlier scan still count for the policy, but are not what this one found.
  if (scan.counts === undefined || scan.status === 'FAILED' || scan.status === 'UNSUPPORTED_IMAGE') return answer;
  const list = `findings ${name} ${scan.id ?? ''}`;
  const limit = pageSize(input);
  const from = Number((await startOf(signing, account, list, input)) ?? '0');
  const findings = await readFindings(records, image, scan, from, limit + 1);
  if (findings === undefined)
    throw invalidParameter('The findings have changed meanwhile; describe them again from the beginning.');
  const page = findings.slice(0, limit);
  const nextToken = findings.length > limit ? await tokenFor(signing, account, list, String(from + limit)) : undefined;
  const listed = enhanced ? await images.manifests.listOne(account, name, found.digest) : undefined;
  return {
    ...answer,
    imageScanFindings: {
      ...findingsSummaryOf(scan),
      ...(enhanced
        ? { enhancedFindings: page.map((finding) => enhancedFindingOf(ports, image, scan, finding, listed)) }
        : { findings: page.map(findingOf) }),
    },
    ...(nextToken === undefined ? {} : { nextToken }),
  };
}

/** @throws AwsError `InvalidParameterException`, `ImageNotFoundException`; ImagesError `RepositoryNotFound` */
async function imageOf(
  ports: EcrPorts,
  target: Target,
  imageId: sdk.ImageIdentifier | undefined,
): Promise<FoundManifest> {
  const { account, name } = target;
  const { images } = ports;
  await images.repositories.get(account, name);
  const { imageDigest, imageTag } = imageId ?? {};
  const text = imageDigest ?? imageTag;
  if (text === undefined)
    throw invalidParameter("Invalid request parameters: both tag and digest are missing in 'imageId'");
  const reference =
    imageDigest === undefined
      ? { kind: 'tag' as const, tag: parseTag(text) }
      : parseReference(parseDigest(imageDigest));
  const { manifest } = await images.manifests.look(account, name, reference);
  if (manifest === undefined) throw imageNotFound(target, imageId);
  if (imageDigest !== undefined && imageTag !== undefined) {
    const tagged = await images.resolve(account, name, imageTag);
    if (tagged?.digest !== manifest.digest) throw imageNotFound(target, imageId);
  }
  return manifest;
}

const imageNotFound = ({ account, name }: Target, imageId: sdk.ImageIdentifier | undefined): AwsError =>
  new AwsError(
    'ImageNotFoundException',
    `The image with imageId ${shownId(imageId)} does not exist within the repository with name '${name}' in the registry with id '${account}'`,
  );

const shownId = (imageId: sdk.ImageIdentifier | undefined): string =>
  `{imageDigest:'${imageId?.imageDigest ?? 'null'}', imageTag:'${imageId?.imageTag ?? 'null'}'}`;

const idOf = (imageId: sdk.ImageIdentifier | undefined, image: FoundManifest): sdk.ImageIdentifier => ({
  imageDigest: image.digest,
  ...(imageId?.imageTag === undefined ? {} : { imageTag: imageId.imageTag }),
});

/** What is left out of the request stays as it was. */
function configurationFrom(
  input: sdk.PutRegistryScanningConfigurationCommandInput,
  before: ScanningConfiguration,
): ScanningConfiguration {
  const scanType = input.scanType ?? before.scanType;
  const rules = (input.rules ?? (scanType === before.scanType ? before.rules : [])).map((rule) => ({
    scanFrequency: rule.scanFrequency ?? 'MANUAL',
    repositoryFilters: (rule.repositoryFilters ?? []).map((filter) => ({
      filter: filter.filter ?? '',
      filterType: 'WILDCARD' as const,
    })),
  }));
  const frequencies = rules.map((rule) => rule.scanFrequency);
  if (new Set(frequencies).size !== frequencies.length)
    throw invalidParameter('Each scan frequency can have only one rule');
  const wrong = scanType === 'BASIC' ? 'CONTINUOUS_SCAN' : 'MANUAL';
  if (frequencies.includes(wrong))
    throw invalidParameter(`The scan frequency ${wrong} cannot be used with the scan type ${scanType}`);
  return { scanType, rules };
}

const shownConfiguration = (configuration: ScanningConfiguration): sdk.RegistryScanningConfiguration => ({
  scanType: configuration.scanType,
  rules: configuration.rules.map((rule) => ({
    scanFrequency: rule.scanFrequency,
    repositoryFilters: [...rule.repositoryFilters],
  })),
});
