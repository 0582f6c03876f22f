import type { IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';

import type Docker from 'dockerode';
import { z } from 'zod';

import { giveBack, pour } from '../../../exec/protocol/index.ts';
import { EngineError, engineCall } from '../docker.ts';

/** What is at a path in a container. */
export interface InContainer {
  readonly is: 'folder' | 'link' | 'other';
  /** Where a link leads, as the engine follows it within the container. */
  readonly leads: string;
}

/** What reads and writes archives of a container's files. */
export interface ArchiveEngine {
  /** @returns undefined where nothing is at the path */
  stat(runtimeId: string, path: string): Promise<InContainer | undefined>;
  /** A tar of what is at the path, under the name that it has there. */
  read(runtimeId: string, path: string, signal: AbortSignal): Promise<Readable>;
  /** Unpacks a tar into a folder; what it holds belongs to root then, as `docker cp` has it. */
  write(runtimeId: string, folder: string, archive: Readable, signal: AbortSignal): Promise<void>;
}

/** What the engine says of a path (Docker Engine API, "Get information about files in a container"); modes are those of Go. */
const pathStat = z.object({ mode: z.number(), linkTarget: z.string().optional() });
const modes = { folder: 2 ** 31, link: 2 ** 27 } as const;

/** The engine's own archives, as `docker cp` has them: nothing runs in the container, which needs no program for them. */
export const dockerArchives = (docker: Docker): ArchiveEngine => ({
  async stat(runtimeId, path) {
    try {
      const answer = await engineCall(() => docker.getContainer(runtimeId).infoArchive({ path }));
      const { headers } = answer as unknown as IncomingMessage;
      (answer as unknown as IncomingMessage).resume();
      const said = String(headers['x-docker-container-path-stat'] ?? '');
      const { mode, linkTarget = '' } = pathStat.parse(JSON.parse(Buffer.from(said, 'base64').toString('utf8')));
      const has = (bit: number): boolean => Math.floor(mode / bit) % 2 === 1;
      return { is: has(modes.link) ? 'link' : has(modes.folder) ? 'folder' : 'other', leads: linkTarget };
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  },
  async read(runtimeId, path, abortSignal) {
    const options = { path, abortSignal };
    const archive = (await engineCall(() => docker.getContainer(runtimeId).getArchive(options))) as IncomingMessage;
    // The parser, which listens before, has copied the pieces of the archive out of what was read.
    const { socket } = archive;
    socket.on('data', giveBack);
    archive.once('close', () => socket.off('data', giveBack));
    return archive;
  },
  async write(runtimeId, path, archive, abortSignal) {
    const options = { path, noOverwriteDirNonDir: 'true', abortSignal };
    await engineCall(() => docker.getContainer(runtimeId).putArchive(givingBack(archive), options));
  },
});

/** A stream that gives the memory of what it has back once it is sent. */
function givingBack(archive: Readable): Readable {
  const pipe = <T extends NodeJS.WritableStream>(to: T): T => {
    pour(archive, to as NodeJS.WritableStream as Writable);
    return to;
  };
  return Object.assign(archive, { pipe });
}
