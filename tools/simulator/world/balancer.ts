import type { CheckResult, Probe } from '@slipway/scheduler/balancing/health';
import type { Chance } from './chance.ts';
import type { SimulatedHost } from './host.ts';
import type { Process } from './machine.ts';
import type { SimulatedNetwork } from './network.ts';
import { deregistrationDelay } from './reach-checks.ts';
import type { Answer } from './users.ts';

/** Services that stand behind load balancers, and the ports of their listeners. */
const listeners = { alpha: 80, beta: 81 } as const;

type Api = <T>(operation: string, input: object) => Promise<Answer<T>>;

/** Where tasks of a service are registered: its two target groups, of which strategies that shift traffic need both, and their rule. */
export interface Registered {
  readonly group: string;
  readonly alternate: string;
  readonly rule: string;
  /** Of its listener, by whose default action its traffic is shared out. */
  readonly listener: string;
}

/** The load balancer that an operator makes at the beginning of a day, and asks for until it is there. */
export class Balancer {
  readonly #groups = new Map<string, PromiseWithResolvers<Registered>>(
    Object.keys(listeners).map((service) => [service, Promise.withResolvers<Registered>()]),
  );
  readonly #api: Api;
  readonly #wait: () => Promise<void>;
  readonly #shifts: boolean;

  /**
   * @param wait some seconds of the operator's
   * @param shifts whether services have a second group each
   */
  constructor(api: Api, wait: () => Promise<void>, shifts: boolean) {
    this.#api = api;
    this.#shifts = shifts;
    this.#wait = wait;
  }

  /** The group of a service once it is there; undefined for a service that has none. */
  async group(service: string): Promise<Registered | undefined> {
    return this.#groups.get(service)?.promise;
  }

  async make(): Promise<void> {
    const { Subnets } = await this.#insist<{ Subnets: { SubnetId: string; VpcId: string }[] }>('DescribeSubnets', {});
    const [{ SubnetId, VpcId } = { SubnetId: '', VpcId: '' }] = Subnets;
    const made = await this.#insist<{ LoadBalancers: { LoadBalancerArn: string }[] }>('CreateLoadBalancer', {
      Name: 'web',
      Subnets: [SubnetId],
    });
    const LoadBalancerArn = made.LoadBalancers[0]?.LoadBalancerArn;
    for (const [service, Port] of Object.entries(listeners)) {
      const group = await this.#group(service, VpcId);
      const alternate = this.#shifts ? await this.#group(`${service}-2`, VpcId) : '';
      await this.#insist('CreateListener', {
        LoadBalancerArn,
        Protocol: 'HTTP',
        Port,
        DefaultActions: [{ Type: 'forward', TargetGroupArn: group }],
      });
      const none = { rule: '', listener: '' };
      const traffic = this.#shifts ? await this.#rule(LoadBalancerArn, Port) : none;
      this.#groups.get(service)?.resolve({ group, alternate, ...traffic });
    }
  }

  async #group(Name: string, VpcId: string): Promise<string> {
    const { TargetGroups } = await this.#insist<{ TargetGroups: { TargetGroupArn: string }[] }>('CreateTargetGroup', {
      Name,
      Protocol: 'HTTP',
      Port: 80,
      VpcId,
      HealthCheckIntervalSeconds: 5,
      HealthCheckTimeoutSeconds: 2,
    });
    const TargetGroupArn = TargetGroups[0]?.TargetGroupArn ?? '';
    await this.#insist('ModifyTargetGroupAttributes', {
      TargetGroupArn,
      Attributes: [{ Key: 'deregistration_delay.timeout_seconds', Value: String(deregistrationDelay) }],
    });
    return TargetGroupArn;
  }

  /** The listener on a port, and its default rule. */
  async #rule(
    LoadBalancerArn: string | undefined,
    port: number,
  ): Promise<{ readonly rule: string; readonly listener: string }> {
    const { Listeners } = await this.#insist<{ Listeners: { ListenerArn: string; Port: number }[] }>(
      'DescribeListeners',
      { LoadBalancerArn },
    );
    const ListenerArn = Listeners.find(({ Port }) => Port === port)?.ListenerArn;
    const { Rules } = await this.#insist<{ Rules: { RuleArn: string; IsDefault: boolean }[] }>('DescribeRules', {
      ListenerArn,
    });
    return { rule: Rules.find(({ IsDefault }) => IsDefault)?.RuleArn ?? '', listener: ListenerArn ?? '' };
  }

  async #insist<T>(operation: string, input: object): Promise<T> {
    for (;;) {
      const answer = await this.#api<T>(operation, input);
      if (answer.kind === 'done') return answer.value;
      // What was made without an answer is there; a listener without an engine is asked for again.
      if (answer.kind === 'refused' && answer.code === 'DuplicateListener') return undefined as T;
      await this.#wait();
    }
  }
}

/** Checks of targets as a server's process makes them. */
export const simulatedProbe =
  (process: Process, chance: Chance, network: SimulatedNetwork, hosts: readonly SimulatedHost[]): Probe =>
  ({ address, port, check }) =>
    new Promise<CheckResult>((resolve) => {
      const host = hosts.find((one) => one.address === address);
      const away =
        host === undefined || !host.powered || host.machine.paused || !network.reaches(process.machine, host.machine);
      process.after(away ? check.timeout * 1000 : chance.between(1, 30), () => {
        if (away) return resolve({ kind: 'timeout' });
        const container = host.engine.at(port);
        if (container === undefined) return resolve({ kind: 'failed', problem: `${address}:${port}: ECONNREFUSED` });
        return resolve(host.engine.answersWell(container) ? { kind: 'passed' } : { kind: 'code', code: 503 });
      });
    });
