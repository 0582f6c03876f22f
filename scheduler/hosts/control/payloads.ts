import { AwsError, type Principal } from '@slipway/auth/contract';

import { accountKeys, accountPartition, type TaskDefinitionRecord, type TaskRecord } from '../../state/index.ts';
import { taskBody, type TaskDefinitionBody } from '../../tasks/index.ts';

import { type AgentControlOptions, TaskSecretsRefused, TaskVolumesRefused } from './options.ts';
import { fileSystemNeeds } from './file-system-needs.ts';
import { secretNeeds } from './secret-needs.ts';
import { type IssuedCredentials, RoleCredentialsSource } from './credentials.ts';
import type { AgentTask } from '../wire/index.ts';
import { renderTask } from './render.ts';

/** Why a task can never be sent; it is stopped with this as its reason. */
export class Unrenderable extends Error {
  override readonly name = 'Unrenderable';
}

/** The secrets of a task cannot be read now, for what may pass: it waits, and no other task of its host with it. */
export class SecretsUnread extends Error {
  override readonly name = 'SecretsUnread';
}

/** Where a payload goes. */
export interface Destination {
  readonly account: string;
  readonly clusterArn: string;
  readonly endpoint: string;
  /** Whether the agent there is sent the values of secrets; see {@link secretsAttribute}. */
  readonly takesSecrets: boolean;
  /** See `RenderPorts`. */
  readonly shipsLogs: boolean;
}

/** Turns task records into payloads: reads the definition, obtains the roles' credentials, renders. */
export class PayloadSource {
  readonly #options: AgentControlOptions;
  readonly #roles: RoleCredentialsSource;

  constructor(options: AgentControlOptions) {
    this.#options = options;
    this.#roles = new RoleCredentialsSource(options);
  }

  /**
   * The task as the agent needs it to start.
   * @throws Unrenderable when it can never be rendered; SecretsUnread; anything else (the store is away) may pass
   */
  async start(task: TaskRecord, to: Destination): Promise<AgentTask> {
    const definition = await this.definition(task.taskDefinition, to.account);
    const body = taskBody(task, definition);
    const { role, execution } = await this.#roleCredentials(task, body);
    const secretValues = to.takesSecrets ? await this.#secretValues(task, body) : undefined;
    const fileSystems = await this.#fileSystems(task, body, to.account);
    return renderTask(task, definition, {
      clusterArn: to.clusterArn,
      region: this.#options.region,
      account: to.account,
      endpoint: to.endpoint,
      shipsLogs: to.shipsLogs,
      ownHost: this.#options.ownHost,
      fileSystems,
      ...(secretValues === undefined ? {} : { secretValues }),
      ...(role === undefined ? {} : { roleCredentials: role }),
      ...(execution === undefined ? {} : { executionRoleCredentials: execution }),
    });
  }

  /**
   * The roles' credentials alone, for a task that its agent runs already.
   * @throws Unrenderable when a role cannot be assumed any more
   */
  async credentials(task: TaskRecord, account: string): Promise<IssuedCredentials[]> {
    const definition = await this.definition(task.taskDefinition, account);
    const { role, execution } = await this.#roleCredentials(task, taskBody(task, definition));
    return [role, execution].flatMap((credentials) => credentials ?? []);
  }

  /**
   * Whom a role of a task stands for when something is done here in the task's name.
   * @throws Unrenderable when the role cannot be assumed
   */
  async principal(task: TaskRecord, roleArn: string): Promise<Principal> {
    try {
      return await this.#roles.principal(task.arn, roleArn);
    } catch (error) {
      throw unassumable(roleArn, error);
    }
  }

  /** Ends the credentials of a task that is over. */
  release(taskArn: string): Promise<void> {
    return this.#roles.release(taskArn);
  }

  /** What the task's containers need to be made, which those of one that runs were. */
  async #secretValues(task: TaskRecord, body: TaskDefinitionBody) {
    const needs = secretNeeds(body);
    if (needs.length === 0 || hasStarted(task)) return undefined;
    const { executionRoleArn } = body;
    if (executionRoleArn === undefined || executionRoleArn === '')
      throw new Unrenderable(
        'ResourceInitializationError: ASM secret resource: unable to find execution role credentials',
      );
    try {
      return await this.#options.taskSecrets(await this.principal(task, executionRoleArn), needs);
    } catch (error) {
      if (error instanceof Unrenderable) throw error;
      if (error instanceof TaskSecretsRefused) throw new Unrenderable(error.message, { cause: error });
      throw new SecretsUnread('the secrets of the task cannot be read', { cause: error });
    }
  }

  /** Where the task's file systems are; of one that runs they are mounted. */
  async #fileSystems(task: TaskRecord, body: TaskDefinitionBody, account: string) {
    const needs = fileSystemNeeds(body);
    if (needs.length === 0 || hasStarted(task)) return {};
    const { taskRoleArn = '' } = body;
    const byRole = taskRoleArn !== '' && needs.some(({ iam }) => iam);
    try {
      return await this.#options.taskVolumes(
        account,
        byRole ? await this.principal(task, taskRoleArn) : undefined,
        needs,
      );
    } catch (error) {
      if (error instanceof TaskVolumesRefused) throw new Unrenderable(error.message, { cause: error });
      throw error;
    }
  }

  async #roleCredentials(task: TaskRecord, body: TaskDefinitionBody) {
    const [role, execution] = await Promise.all([
      this.#credentials(task, body.taskRoleArn, 'TaskApplication'),
      this.#credentials(task, body.executionRoleArn, 'TaskExecution'),
    ]);
    return { role, execution };
  }

  async #credentials(task: TaskRecord, roleArn: string | undefined, type: 'TaskApplication' | 'TaskExecution') {
    if (roleArn === undefined || roleArn === '') return undefined;
    try {
      return await this.#roles.get(task.arn, roleArn, type);
    } catch (error) {
      throw unassumable(roleArn, error);
    }
  }

  /** @throws Unrenderable when it is gone */
  async definition(arn: string, account: string): Promise<TaskDefinitionRecord> {
    const [, family = '', revision = ''] = /task-definition\/([^:]+):(\d+)$/.exec(arn) ?? [];
    const stored = await this.#options.records.get<TaskDefinitionRecord>(
      accountPartition(account),
      accountKeys.taskDefinition(family, Number(revision)),
    );
    if (stored === undefined) throw new Unrenderable(`ResourceNotFoundException: the task definition ${arn} is gone.`);
    return stored.value;
  }
}

/** Whether its containers were made. */
const hasStarted = ({ lastStatus }: TaskRecord): boolean => lastStatus === 'RUNNING' || lastStatus === 'DEACTIVATING';

/** A role that cannot be assumed is for good; anything else may pass, and is thrown as it is. */
function unassumable(roleArn: string, error: unknown): unknown {
  if (!(error instanceof AwsError)) return error;
  return new Unrenderable(`ResourceInitializationError: unable to assume the role ${roleArn}: ${error.message}`, {
    cause: error,
  });
}
