import { pagesOf, type Transaction, transact } from '@slipway/storage/records';

import { clientError, type EcsPorts, type Home, invalidParameter, isName, parseArn } from '../cluster/index.ts';
import {
  accountKeys,
  accountPartition,
  arns,
  type FamilyRecord,
  type Tags,
  type TaskDefinitionRecord,
  toJson,
} from '../state/index.ts';
import { checkReach } from './check-definition.ts';
import { bodyOf, type TaskDefinitionBody } from './definition.ts';
import { requiredAttributes } from './requires.ts';

/** Names a revision, or with a bare family its newest ACTIVE one. */
export interface DefinitionRef {
  readonly family: string;
  readonly revision?: number;
}

/**
 * A task definition's identifier: `family`, `family:revision`, or its ARN.
 * @throws ClientException, InvalidParameterException when it is malformed or belongs elsewhere
 */
export function parseDefinition(identifier: string, home: Home): DefinitionRef {
  const text = identifier.startsWith('arn:') ? ofArn(identifier, home) : identifier;
  const [family = '', revision, ...rest] = text.split(':');
  if (!isName(family) || rest.length > 0) throw clientError(`Invalid task definition identifier '${identifier}'.`);
  if (revision === undefined) return { family };
  if (!/^[1-9]\d{0,8}$/.test(revision)) throw clientError(`Invalid revision number. Number: ${revision}`);
  return { family, revision: Number(revision) };
}

function ofArn(identifier: string, home: Home): string {
  const { type, path } = parseArn(identifier, home);
  if (type !== 'task-definition') throw clientError(`Identifier was not of type: task-definition: '${identifier}'.`);
  return path.join('/');
}

/** The revision that is named, whatever its status; undefined when there is none. */
export async function findDefinition(
  ports: Pick<EcsPorts, 'records'>,
  account: string,
  ref: DefinitionRef,
): Promise<TaskDefinitionRecord | undefined> {
  const partition = accountPartition(account);
  const revision =
    ref.revision ??
    (await ports.records.get<FamilyRecord>(partition, accountKeys.family(ref.family)))?.value.latestActive;
  if (revision === undefined) return undefined;
  const stored = await ports.records.get<TaskDefinitionRecord>(
    partition,
    accountKeys.taskDefinition(ref.family, revision),
  );
  return stored?.value;
}

/**
 * The revision that is named, for something new to run it: it must be ACTIVE, and engines may connect to what it names.
 * @throws ClientException
 */
export async function activeDefinition(
  ports: Pick<EcsPorts, 'records' | 'region' | 'reach'>,
  account: string,
  identifier: string,
): Promise<TaskDefinitionRecord> {
  const found = await findDefinition(ports, account, parseDefinition(identifier, { account, region: ports.region }));
  if (found === undefined) throw clientError('TaskDefinition not found.');
  if (found.status !== 'ACTIVE') throw clientError('TaskDefinition is inactive');
  checkReach(ports, bodyOf(found));
  return found;
}

/** What a new revision is made of. */
export interface RevisionDraft {
  readonly family: string;
  /** Normalised and checked. */
  readonly body: TaskDefinitionBody;
  readonly tags: Tags;
  readonly registeredBy?: string;
  /** ARN of the revision that this one pins to digests. */
  readonly pinnedFrom?: string;
}

/** Adds the next revision of a family and makes it the newest. Revisions are never reused. */
export async function registerRevision(
  ports: Pick<EcsPorts, 'records' | 'clock' | 'region'>,
  account: string,
  draft: RevisionDraft,
): Promise<TaskDefinitionRecord> {
  return transact(ports.records, accountPartition(account), async (tx) => {
    const family = await tx.get<FamilyRecord>(accountKeys.family(draft.family));
    const revision = (family?.lastRevision ?? 0) + 1;
    const record: TaskDefinitionRecord = {
      arn: arns.taskDefinition(ports.region, account, draft.family, revision),
      family: draft.family,
      revision,
      status: 'ACTIVE',
      registeredAt: ports.clock.now(),
      ...(draft.registeredBy === undefined ? {} : { registeredBy: draft.registeredBy }),
      definition: draft.body,
      requiresAttributes: requiredAttributes(draft.body),
      tags: draft.tags,
      ...(draft.pinnedFrom === undefined ? {} : { pinnedFrom: draft.pinnedFrom }),
    };
    const next: FamilyRecord = { family: draft.family, lastRevision: revision, latestActive: revision };
    tx.put(accountKeys.taskDefinition(draft.family, revision), toJson(record));
    tx.put(accountKeys.family(draft.family), toJson(next));
    return record;
  });
}

/**
 * Makes a revision INACTIVE: what runs goes on, nothing new starts from it. Doing it twice is not an error.
 * @throws ClientException when it does not exist or no revision is named
 */
export async function deregisterDefinition(
  ports: Pick<EcsPorts, 'records' | 'clock'>,
  account: string,
  ref: DefinitionRef,
): Promise<TaskDefinitionRecord> {
  const { family, revision } = ref;
  if (revision === undefined) {
    throw invalidParameter(
      `The revision is missing: name the task definition as '${family}:<revision>' or by its ARN.`,
    );
  }
  return transact(ports.records, accountPartition(account), async (tx) => {
    const key = accountKeys.taskDefinition(family, revision);
    const record = await tx.get<TaskDefinitionRecord>(key);
    if (record === undefined) throw clientError('The specified task definition does not exist.');
    if (record.status !== 'ACTIVE') return record;
    const inactive: TaskDefinitionRecord = { ...record, status: 'INACTIVE', deregisteredAt: ports.clock.now() };
    tx.put(key, toJson(inactive));
    const familyKey = accountKeys.family(family);
    const row = await tx.get<FamilyRecord>(familyKey);
    if (row !== undefined) {
      const { latestActive, ...rest } = row;
      const newest = latestActive === revision ? await newestActive(tx, family, revision) : latestActive;
      // Written even when it stays the same: whoever looks for the newest at this moment must see this change.
      tx.put(familyKey, toJson({ ...rest, ...(newest === undefined ? {} : { latestActive: newest }) }));
    }
    return inactive;
  });
}

/** The newest ACTIVE revision below one. Every change of a status also writes the family's row, which the commit depends on. */
async function newestActive(tx: Transaction, family: string, below: number): Promise<number | undefined> {
  let newest: number | undefined;
  const prefix = accountKeys.taskDefinitions(family);
  const pages = pagesOf(
    (after: string | undefined) => tx.list<TaskDefinitionRecord>({ prefix, after }),
    ({ records }) => records.at(-1)?.key,
  );
  for await (const { records } of pages) {
    for (const { value } of records) {
      if (value.status === 'ACTIVE' && value.revision < below) newest = value.revision;
    }
  }
  return newest;
}

/**
 * Marks an INACTIVE revision for deletion.
 * @throws ClientException when it does not exist, InvalidParameterException when it is still ACTIVE
 */
export async function deleteDefinition(
  ports: Pick<EcsPorts, 'records' | 'clock'>,
  account: string,
  ref: DefinitionRef,
): Promise<TaskDefinitionRecord> {
  const { family, revision } = ref;
  if (revision === undefined) throw invalidParameter(`The revision of '${family}' is missing.`);
  return transact(ports.records, accountPartition(account), async (tx) => {
    const key = accountKeys.taskDefinition(family, revision);
    const record = await tx.get<TaskDefinitionRecord>(key);
    if (record === undefined) throw clientError('The specified task definition does not exist.');
    if (record.status === 'ACTIVE') {
      throw invalidParameter(
        'The specified task definition is still in ACTIVE status. Please deregister the target and try again.',
      );
    }
    if (record.status === 'DELETE_IN_PROGRESS') return record;
    const doomed: TaskDefinitionRecord = {
      ...record,
      status: 'DELETE_IN_PROGRESS',
      deleteRequestedAt: ports.clock.now(),
    };
    tx.put(key, toJson(doomed));
    return doomed;
  });
}
