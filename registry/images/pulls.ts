import { growingTo, parseArn } from '@slipway/auth/kit';
import type { Digest } from '@slipway/storage/blobs';
import { ConditionFailed } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';
import type { ImagesPorts } from './ports.ts';
import { keys, registryPartition } from './keys.ts';
import type { RegistryRecord } from './records.ts';

/** When an image was pulled last: a fact nobody waits for, so pulls are noted in memory and written in batches. */
export interface Pulls {
  /** @param principal ARN of who pulls: pulls of the registry's pull-time exclusions do not count */
  note(account: string, repository: string, digest: Digest, principal: string): void;
  /** Writes what was noted since the last time. */
  flush(): Promise<void>;
  /** How often images of each repository were pulled through this process since the last call, every pull counted. */
  counted(): readonly PullCount[];
}

/** Pulls of a repository's images, of manifests as ECR counts them. */
export interface PullCount {
  readonly account: string;
  readonly repository: string;
  readonly count: number;
}

interface Note {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
  readonly principal: string;
  readonly at: number;
}

export function createPulls(ports: ImagesPorts): Pulls {
  const { records, clock, limits } = ports;
  const written = new LRUCache<string, number>(growingTo(50_000));
  let noted = new Map<string, Note>();
  /** By account and repository. */
  let counts = new Map<string, PullCount>();

  const write = async ({ account, repository, digest, at }: Note): Promise<void> => {
    try {
      await records.commit(registryPartition(account), {
        require: [{ key: keys.manifest(repository, digest), exists: true }],
        put: [{ key: keys.pulled(repository, digest), value: at }],
      });
    } catch (error) {
      // The image is gone: there is nothing to remember.
      if (!(error instanceof ConditionFailed)) throw error;
    }
  };

  return {
    note(account, repository, digest, principal) {
      const of = `${account}|${repository}`;
      counts.set(of, { account, repository, count: (counts.get(of)?.count ?? 0) + 1 });
      // By principal, so that a pull that will not count does not hide one that does.
      const name = `${account}|${repository}|${digest}|${principal}`;
      const at = clock.now();
      const before = written.get(name);
      if (before !== undefined && at - before < limits.pullInterval) return;
      written.set(name, at);
      noted.set(name, { account, repository, digest, principal, at });
    },
    counted() {
      const all = [...counts.values()];
      counts = new Map();
      return all;
    },
    async flush() {
      const batch = noted;
      noted = new Map();
      const excluded = new Map<string, Promise<readonly string[]>>();
      const exclusions = (account: string): Promise<readonly string[]> => {
        const known = excluded.get(account) ?? exclusionsOf(ports, account);
        excluded.set(account, known);
        return known;
      };
      await Promise.all(
        [...batch.values()].map(async (note) => {
          if (!isExcluded(await exclusions(note.account), note.principal)) await write(note);
        }),
      );
    },
  };
}

async function exclusionsOf({ records }: ImagesPorts, account: string): Promise<readonly string[]> {
  const registry = await records.get<RegistryRecord>(registryPartition(account), keys.registry);
  return Object.keys(registry?.value.pullTimeExclusions ?? {});
}

/** A role is meant with all its sessions, whose ARNs have the role's name but not its path. */
function isExcluded(exclusions: readonly string[], principal: string): boolean {
  const caller = parseArn(principal);
  const role = caller?.service === 'sts' ? /^assumed-role\/([^/]+)\//.exec(caller.resource)?.[1] : undefined;
  if (role === undefined) return exclusions.includes(principal);
  return exclusions.some((arn) => {
    const { service, account, resource = '' } = parseArn(arn) ?? {};
    return (
      service === 'iam' && account === caller?.account && resource.startsWith('role/') && resource.endsWith(`/${role}`)
    );
  });
}
