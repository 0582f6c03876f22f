import { parseService } from './aws-client.ts';
import { targetsOf } from './codedeploy.ts';
import { CliError } from './errors.ts';

/** A service, and one of its deployments where that is named too. */
export interface Meant {
  readonly cluster: string;
  readonly service: string;
  /** As its controller calls it; undefined: the newest. */
  readonly id?: string;
}

const arns =
  /^arn:[^:]+:ecs:[^:]*:[^:]*:(service|service-deployment|service-revision|task-set)\/([^/]+)\/([^/]+)(?:\/(.+))?$/;

export const isCodeDeployId = (text: string): boolean => /^d-[A-Z0-9]{9}$/.test(text);

/**
 * What is meant by `<cluster>/<service>` and the id of a deployment beside it, or by one name that says both: the id of a deployment of
 * CodeDeploy, or the ARN of a service, a service deployment, a service revision or a task set. (A service whose name is like such an
 * id is `default/<service>`.)
 * @throws CliError for what is none of these, or where the two are of different services
 */
export async function meant(name: string, id?: string): Promise<Meant> {
  const named = await byName(name);
  const other = id === undefined ? undefined : byArn(id);
  if (id !== undefined && named.id !== undefined)
    throw new CliError(`${name} names a deployment already: leave '${id}' out, or name the service`, 2);
  if (other !== undefined && (other.cluster !== named.cluster || other.service !== named.service))
    throw new CliError(
      `${id ?? ''} is of ${other.cluster}/${other.service}, not of ${named.cluster}/${named.service}`,
      2,
    );
  const which = other === undefined ? (id ?? named.id) : other.id;
  return { cluster: named.cluster, service: named.service, ...(which === undefined ? {} : { id: which }) };
}

async function byName(name: string): Promise<Meant> {
  if (!isCodeDeployId(name)) return byArn(name) ?? parseService(name);
  const [target = ''] = await targetsOf(name);
  const [cluster = '', service = ''] = target.split(':');
  return { cluster, service, id: name };
}

function byArn(text: string): Meant | undefined {
  const [, , cluster, service, id] = arns.exec(text) ?? [];
  if (cluster === undefined || service === undefined) {
    if (text.startsWith('arn:'))
      throw new CliError(`${text} is no ARN of a service, a service deployment, a service revision or a task set`, 2);
    return undefined;
  }
  return { cluster, service, ...(id === undefined ? {} : { id }) };
}
