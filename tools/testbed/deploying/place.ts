import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { CodeDeployClient } from '@aws-sdk/client-codedeploy';
import { type ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { ecsClient, sdkOptions } from '../aws-clients.ts';
import type { BalancedHosts } from '../balanced-hosts.ts';
import { targetContainer } from '../balanced-service.ts';
import { until } from '../command.ts';
import { ElbClient } from '../query-clients.ts';

/** Milliseconds that a busy machine may take for one deployment. */
const patience = 600_000;
/** The port of the listener that all services share, which finds them by their names; CodeDeploy's has one of its own. */
const ports = { shared: 8_443, codeDeploy: 8_444 } as const;

/** Two target groups, and what forwards to them. */
export interface Way {
  readonly blue: string;
  readonly green: string;
  /** The ARN of a rule or, where it ends with a listener's own action, of the listener. */
  readonly from: string;
  readonly host: string;
  readonly port: number;
}

/** Where services that are deployed in different ways stand: behind HTTPS listeners of the load balancer of a stage. */
export class DeployingPlace implements Disposable {
  readonly ecs: ECSClient;
  readonly codeDeploy: CodeDeployClient;
  readonly stage: BalancedHosts;
  readonly #elb: ElbClient;
  #certificate = '';
  #vpc = '';
  #balancer = '';
  #shared = '';
  #rules = 0;

  private constructor(stage: BalancedHosts) {
    this.stage = stage;
    this.ecs = ecsClient(stage.server);
    this.codeDeploy = new CodeDeployClient(sdkOptions(stage.server));
    this.#elb = new ElbClient(sdkOptions(stage.server));
  }

  static async on(stage: BalancedHosts): Promise<DeployingPlace> {
    const place = new DeployingPlace(stage);
    const at = (what: string): string => join(stage.folder, `${what}.pem`);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('key')];
    const made = ['req', '-x509', '-days', '30', ...key, '-subj', '/CN=*.example.com', '-out', at('certificate')];
    execFileSync('openssl', made, { stdio: 'pipe' });
    const { CertificateArn } = await stage.aws<{ CertificateArn: string }>(
      ['acm', 'import-certificate', '--certificate', `fileb://${at('certificate')}`],
      ['--private-key', `fileb://${at('key')}`],
    );
    place.#certificate = CertificateArn;
    const found = await place.elb('DescribeLoadBalancers', { Names: ['web'] });
    place.#vpc = valueIn(found, 'VpcId');
    place.#balancer = valueIn(found, 'LoadBalancerArn');
    place.#shared = await place.#listen(ports.shared, {
      Type: 'fixed-response',
      FixedResponseConfig: { StatusCode: '404' },
    });
    return place;
  }

  /** Calls the load balancers' API. @returns the XML of the answer */
  async elb(name: string, input: object): Promise<string> {
    return ((await this.#elb.send({ name, input })) as { readonly text: string }).text;
  }

  /** Two groups for a service, the first of which gets all requests for its name, or for a listener of its own. */
  async way(name: string, { own = false } = {}): Promise<Way> {
    const [blue, green] = [await this.#group(`${name}-blue`), await this.#group(`${name}-green`)];
    const host = `${name}.example.com`;
    const forward = { Type: 'forward', TargetGroupArn: blue };
    if (own) return { blue, green, host, port: ports.codeDeploy, from: await this.#listen(ports.codeDeploy, forward) };
    const made = await this.elb('CreateRule', {
      ListenerArn: this.#shared,
      Priority: ++this.#rules,
      Conditions: [{ Field: 'host-header', Values: [host] }],
      Actions: [forward],
    });
    return { blue, green, host, port: ports.shared, from: valueIn(made, 'RuleArn') };
  }

  /** Registers a revision of a service. @param command what its container does instead of answering requests */
  async revision(family: string, command?: readonly string[]): Promise<string> {
    const container = targetContainer(this.stage.image);
    const words = command ?? container.command.map((word) => (word === 'web' ? family : word));
    const { taskDefinition } = await this.ecs.send(
      new RegisterTaskDefinitionCommand({ family, containerDefinitions: [{ ...container, command: [...words] }] }),
    );
    return taskDefinition?.taskDefinitionArn ?? '';
  }

  async #listen(port: number, action: object): Promise<string> {
    const made = await this.elb('CreateListener', {
      LoadBalancerArn: this.#balancer,
      Protocol: 'HTTPS',
      Port: port,
      Certificates: [{ CertificateArn: this.#certificate }],
      DefaultActions: [action],
    });
    return valueIn(made, 'ListenerArn');
  }

  async #group(name: string): Promise<string> {
    const made = await this.elb('CreateTargetGroup', {
      Name: name,
      Protocol: 'HTTP',
      Port: 8080,
      VpcId: this.#vpc,
      TargetType: 'instance',
      HealthCheckIntervalSeconds: 5,
      HealthCheckTimeoutSeconds: 4,
      // A machine that is busy with six deployments at once may answer late; that is not what is looked for.
      UnhealthyThresholdCount: 10,
    });
    const TargetGroupArn = valueIn(made, 'TargetGroupArn');
    // An engine that nobody drives is waited for that long.
    const Attributes = [{ Key: 'deregistration_delay.timeout_seconds', Value: '15' }];
    await this.elb('ModifyTargetGroupAttributes', { TargetGroupArn, Attributes });
    return TargetGroupArn;
  }

  [Symbol.dispose](): void {
    this.ecs.destroy();
    this.codeDeploy.destroy();
  }
}

/** The first value of an element in an answer. */
export function valueIn(xml: string, element: string): string {
  const found = new RegExp(`<${element}>([^<]+)<`).exec(xml)?.[1];
  if (found === undefined) throw new Error(`no ${element} in ${xml}`);
  return found;
}

/** Waits for what a deployment comes to. */
export const eventually = <T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T> =>
  until(what, patience, probe, 200);
