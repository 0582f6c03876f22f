import type { AgentFileSystem, AgentTask } from '../wire/index.ts';
import { containerName } from './create-options.ts';
import { labels } from './docker.ts';
import type { RunnerPorts } from './engine-ports.ts';
import { ensureFolders, ensureShareVolume, FileSystemError, isFolderOf, volumePoint } from './file-systems/index.ts';
import { mountsIn } from './mountinfo.ts';

/** The container that folders of a task's file systems are made in; it is never started. */
export const foldersName = '~internal~ecs~folders';

const fileSystemsIn = (task: AgentTask): AgentFileSystem[] =>
  task.volumes.flatMap(({ fileSystem }) => fileSystem ?? []);

/** The file systems of one task, as they are mounted for it. */
export class HeldFileSystems {
  readonly #ports: Pick<RunnerPorts, 'docker' | 'agentId' | 'options' | 'mountsOf'>;

  constructor(ports: Pick<RunnerPorts, 'docker' | 'agentId' | 'options' | 'mountsOf'>) {
    this.#ports = ports;
  }

  /**
   * Makes what the task's file systems are mounted from, where it may be made.
   * @param image of containers that do nothing
   * @returns the Docker volume of the folder that they lie in
   * @throws FileSystemError, EngineUnavailable
   */
  async prepare(task: AgentTask, image: string): Promise<string> {
    const { docker, agentId, options } = this.#ports;
    const { fileSystems: share } = options.allow;
    if (share === undefined) throw new FileSystemError('this container instance has no folder for file systems');
    const own = { [labels.agent]: agentId, [labels.task]: task.arn };
    const container = { name: containerName(task, foldersName), image, labels: own };
    await ensureFolders({ docker, agentId, share }, container, fileSystemsIn(task));
    return ensureShareVolume({ docker, agentId, share });
  }

  /**
   * Looks at what was mounted in the container that holds them, which stays so until that ends.
   * @param pid of it, as this machine has it
   * @throws FileSystemError
   */
  async check(task: AgentTask, pid: number): Promise<void> {
    let text: string;
    try {
      text = await this.#ports.mountsOf(pid);
    } catch (error) {
      throw new FileSystemError(
        `this container instance cannot tell what was mounted: its agent runs as root on the machine of its Docker engine (${(error as Error).message})`,
        { cause: error },
      );
    }
    const mounts = mountsIn(text);
    for (const [index, { id, path }] of fileSystemsIn(task).entries())
      if (!isFolderOf(mounts, volumePoint(index), path === '/' ? id : `${id}${path}`))
        throw new FileSystemError(
          `mount.nfs4: mounting ${id}:${path} failed, reason given by server: it leads out of the file system, by a symbolic link or another mount`,
        );
  }
}
