import type { ResourceRef } from '@slipway/auth/contract';
import { arnOf, parseArn } from '@slipway/auth/kit';
import { scanAll, type Transaction, transact } from '@slipway/storage/records';

import type { EcsPorts } from '../../cluster/index.ts';
import { toJson } from '../../state/index.ts';

import { noAccessPoint, noFileSystem, noMountTarget } from './errors.ts';
import { efsKeys, efsPartition } from './keys.ts';
import type { AccessPointRecord, FileSystemRecord, MountTargetRecord } from './records.ts';

export type EfsKind = 'file-system' | 'access-point';

/** The file systems of all accounts, with what belongs to them. */
export class FileSystems {
  readonly #ports: Pick<EcsPorts, 'records' | 'random' | 'region'>;

  constructor(ports: Pick<EcsPorts, 'records' | 'random' | 'region'>) {
    this.#ports = ports;
  }

  newId(prefix: 'fs' | 'fsmt' | 'fsap'): string {
    return `${prefix}-${Buffer.from(this.#ports.random(9)).toString('hex').slice(0, 17)}`;
  }

  arn(account: string, kind: EfsKind, id: string): string {
    const { region } = this.#ports;
    return arnOf({ service: 'elasticfilesystem', region, account, resource: `${kind}/${id}` });
  }

  /** The id that a text names, by itself or as an ARN of this account and region; a text that is neither is given back. */
  idIn(account: string, text: string): string {
    const arn = parseArn(text);
    if (arn === undefined) return text;
    const [kind = '', id = ''] = arn.resource.split('/');
    return text === this.arn(account, kind as EfsKind, id) ? id : text;
  }

  /** @throws FileSystemNotFound */
  async fileSystem(account: string, text: string): Promise<FileSystemRecord> {
    const id = this.idIn(account, text);
    const found = await this.#get<FileSystemRecord>(account, efsKeys.fileSystem(id));
    if (found === undefined) throw noFileSystem(text);
    return found;
  }

  /** @throws MountTargetNotFound */
  async mountTarget(account: string, id: string): Promise<MountTargetRecord> {
    const found = await this.#get<MountTargetRecord>(account, efsKeys.mountTarget(id));
    if (found === undefined) throw noMountTarget(id);
    return found;
  }

  /** @throws AccessPointNotFound */
  async accessPoint(account: string, text: string): Promise<AccessPointRecord> {
    const id = this.idIn(account, text);
    const found = await this.#get<AccessPointRecord>(account, efsKeys.accessPoint(id));
    if (found === undefined) throw noAccessPoint(text);
    return found;
  }

  /** All file systems of an account, in order of id. */
  all(account: string): Promise<FileSystemRecord[]> {
    return this.#list<FileSystemRecord>(account, efsKeys.fileSystems);
  }

  /** Mount targets, of one file system or of all. */
  async mountTargets(account: string, fileSystemId?: string): Promise<MountTargetRecord[]> {
    const all = await this.#list<MountTargetRecord>(account, efsKeys.mountTargets);
    return all.filter((one) => fileSystemId === undefined || one.fileSystemId === fileSystemId);
  }

  /** Access points, of one file system or of all. */
  async accessPoints(account: string, fileSystemId?: string): Promise<AccessPointRecord[]> {
    const all = await this.#list<AccessPointRecord>(account, efsKeys.accessPoints);
    return all.filter((one) => fileSystemId === undefined || one.fileSystemId === fileSystemId);
  }

  /** A file system as authorization sees it; one that is not there has neither tags nor a policy. */
  async fileSystemRef(account: string, text: string): Promise<ResourceRef> {
    const id = this.idIn(account, text);
    const found = await this.#get<FileSystemRecord>(account, efsKeys.fileSystem(id));
    return {
      arn: this.arn(account, 'file-system', id),
      ...(found === undefined ? {} : { tags: found.tags }),
      ...(found?.policy === undefined ? {} : { policy: found.policy }),
    };
  }

  /** The file system of a mount target as authorization sees it: mount targets have no ARNs. */
  async refOfMountTarget(account: string, id: string): Promise<ResourceRef> {
    const found = await this.#get<MountTargetRecord>(account, efsKeys.mountTarget(id));
    return this.fileSystemRef(account, found?.fileSystemId ?? 'fs-00000000000000000');
  }

  async accessPointRef(account: string, text: string): Promise<ResourceRef> {
    const id = this.idIn(account, text);
    const found = await this.#get<AccessPointRecord>(account, efsKeys.accessPoint(id));
    return { arn: this.arn(account, 'access-point', id), ...(found === undefined ? {} : { tags: found.tags }) };
  }

  /** Changes what is kept of one account in one commit. */
  transact<T>(account: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return transact(this.#ports.records, efsPartition(account), work);
  }

  /** @throws FileSystemNotFound */
  change(
    account: string,
    text: string,
    next: (before: FileSystemRecord) => FileSystemRecord,
  ): Promise<FileSystemRecord> {
    const key = efsKeys.fileSystem(this.idIn(account, text));
    return this.transact(account, async (tx) => {
      const before = await tx.get<FileSystemRecord>(key);
      if (before === undefined) throw noFileSystem(text);
      const after = next(before);
      tx.put(key, toJson(after));
      return after;
    });
  }

  async #get<T>(account: string, key: string): Promise<T | undefined> {
    return (await this.#ports.records.get<T>(efsPartition(account), key))?.value;
  }

  async #list<T>(account: string, prefix: string): Promise<T[]> {
    const rows = await scanAll<T>(this.#ports.records, efsPartition(account), { prefix });
    return rows.map(({ value }) => value);
  }
}
