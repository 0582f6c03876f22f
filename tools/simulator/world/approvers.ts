import type { Chance } from './chance.ts';
import type { Mirror } from './mirror.ts';
import type { Answer } from './users.ts';

export interface ApproverPorts {
  readonly mirror: Mirror;
  readonly chance: Chance;
  /** Whether people stop deployments that roll, too. */
  readonly stopsRolling: boolean;
  readonly api: <T>(operation: string, input: object) => Promise<Answer<T>>;
}

/** People who end the pauses of deployments, or forget to, and who stop some that are under way. */
export class Approvers {
  readonly #ports: ApproverPorts;

  constructor(ports: ApproverPorts) {
    this.#ports = ports;
  }

  /** @param isKind when nothing goes wrong any more, people let everything pass */
  async look(isKind: boolean): Promise<void> {
    const { mirror, chance, stopsRolling, api } = this.#ports;
    for (const { name, deployments } of mirror.services.values()) {
      const primary = deployments.find(({ status }) => status === 'PRIMARY');
      if (primary?.rolloutState !== 'IN_PROGRESS') continue;
      if (primary.shifting === undefined && !stopsRolling) continue;
      const open = primary.shifting?.runs.filter(({ status }) => status === 'AWAITING_ACTION') ?? [];
      const stops = !isKind && chance.happens(primary.shifting === undefined ? 0.1 : 0.02);
      if (open.length === 0 && !stops) continue;
      const listed = await api<{ serviceDeployments?: { serviceDeploymentArn?: string; status?: string }[] }>(
        'ListServiceDeployments',
        {
          service: name,
        },
      );
      const all = listed.kind === 'done' ? listed.value.serviceDeployments : undefined;
      const arn = all?.find(({ status }) => status === 'IN_PROGRESS')?.serviceDeploymentArn;
      if (arn === undefined) continue;
      if (stops)
        await api('StopServiceDeployment', {
          serviceDeploymentArn: arn,
          stopType: chance.pick(['ROLLBACK', 'ABORT'] as const),
        });
      for (const { id } of open)
        if (isKind || chance.happens(0.4))
          await api('ContinueServiceDeployment', {
            serviceDeploymentArn: arn,
            hookId: id,
            action: isKind || chance.happens(0.8) ? 'CONTINUE' : 'ROLLBACK',
          });
    }
  }
}
