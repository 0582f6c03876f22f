import { refuseRouted, refuseRouter } from '../reach/index.ts';
import { containersOf, type TaskDefinitionBody } from './definition.ts';
import { refuse, refuseContainer } from './definition-error.ts';

/**
 * Checks FireLens: which container is the log router, and what those whose output it takes say of it.
 * @throws ClientException, in ECS's words where it has some
 */
export function checkRouting(body: TaskDefinitionBody): void {
  const containers = containersOf(body);
  const routed = containers.filter(({ logConfiguration: log }) => log?.logDriver === 'awsfirelens');
  const [router, second] = containers.filter(({ firelensConfiguration: own }) => own !== undefined);
  if (second !== undefined)
    refuse(
      `Only one container of a task can have a firelensConfiguration: '${router?.name}' and '${second.name}' have one.`,
    );
  if (router === undefined) {
    if (routed.length > 0)
      refuse(
        'When awsfirelens log driver is specified in log configuration, a firelens configuration object must be configured in one of the containers.',
      );
    return;
  }
  const { type, options = {} } = router.firelensConfiguration ?? {};
  const why = refuseRouter(type, options);
  if (why !== undefined) refuseContainer(router.name, why);
  if (options['config-file-type'] === 's3' && !body.executionRoleArn)
    refuseContainer(
      router.name,
      "A configuration in S3 is read with the rights of the execution role: give 'executionRoleArn'.",
    );
  if (routed.length === 0)
    refuse(
      'When a firelensConfiguration object is specified, at least one container has to be configured with the awsfirelens log driver.',
    );
  for (const { name, logConfiguration: log } of routed) {
    if (name === router.name)
      refuseContainer(name, 'A log router cannot route its own output: give it another logDriver.');
    const secrets = (log?.secretOptions ?? []).map((secret) => secret.name ?? '');
    const wrong = refuseRouted(type ?? '', log?.options ?? {}, secrets);
    if (wrong !== undefined) refuseContainer(name, wrong);
  }
}
