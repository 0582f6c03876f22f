import type { AgentContainer, AgentFileSystem, AgentTask } from '../../wire/index.ts';

/** As whom a container runs that has files of others: the engine cannot make files belong to somebody else than who writes them. */
export interface FileUser {
  readonly uid: number;
  readonly gid: number;
  readonly secondaryGids: readonly number[];
}

/** The file systems that a container has, its own and those that it takes from other containers. */
export function fileSystemsOf(task: AgentTask, container: AgentContainer): AgentFileSystem[] {
  const seen = new Set<string>();
  const names = new Set<string>();
  const visit = (one: AgentContainer | undefined): void => {
    if (one === undefined || seen.has(one.name)) return;
    seen.add(one.name);
    for (const { sourceVolume } of one.mountPoints) names.add(sourceVolume);
    for (const { sourceContainer } of one.volumesFrom)
      visit(task.containers.find(({ name }) => name === sourceContainer));
  };
  visit(container);
  return task.volumes.flatMap(({ name, fileSystem }) =>
    fileSystem !== undefined && names.has(name) ? [fileSystem] : [],
  );
}

/** As whom a container must run because of its file systems; undefined where that is nobody's matter. */
export const userOf = (task: AgentTask, container: AgentContainer): FileUser | undefined =>
  fileSystemsOf(task, container).find(({ user }) => user !== undefined)?.user;

/** Whether a container is held to the user that it runs as, so that no program in it becomes another one. */
export const isHeldToUser = (task: AgentTask, container: AgentContainer): boolean =>
  fileSystemsOf(task, container).some(({ user, noRoot }) => user !== undefined || noRoot);

/**
 * As whom a command is run in a container from outside: as root, as ECS Exec has it, unless that would be root in files that the container's
 * user is to be nobody else in.
 * @param runsAs the user that the engine runs the container as
 */
export const commandUser = (task: AgentTask, container: AgentContainer, runsAs: string): string =>
  isHeldToUser(task, container) ? runsAs : '0';

/**
 * Why a container must not have the file systems that it names, or undefined.
 * @param given the user that its definition names
 */
export function refuseUser(
  task: AgentTask,
  container: AgentContainer,
  { given, privileged }: { readonly given: string | undefined; readonly privileged: boolean },
): string | undefined {
  const fileSystems = fileSystemsOf(task, container);
  const users = new Map(fileSystems.flatMap(({ user }) => (user === undefined ? [] : [[JSON.stringify(user), user]])));
  if (users.size > 1) return 'its file systems are mounted as different users: mount them in containers of their own.';
  const [user] = users.values();
  const rootless = fileSystems.some(({ noRoot }) => noRoot);
  if (user === undefined && !rootless) return undefined;
  if (privileged) return 'a privileged container cannot be held to a user of a file system.';
  const who = user === undefined ? undefined : `${user.uid}:${user.gid}`;
  if (rootless && (user === undefined ? !isNobodySpecial(given) : user.uid === 0))
    return "its task role may not elasticfilesystem:ClientRootAccess, and nobody's files here become another's: let its 'user' be a number that is not 0, or use an access point with a POSIX user.";
  if (who !== undefined && given !== undefined && given !== who && given !== String(user?.uid))
    return `its 'user' is '${given}', and its access point's is ${who}: leave it out, or say ${who}.`;
  return undefined;
}

/** A number above 0, alone or with a group: names are the image's to give a meaning. */
const isNobodySpecial = (given: string | undefined): boolean => /^0*[1-9]\d{0,9}(?::\d{1,10})?$/.test(given ?? '');
