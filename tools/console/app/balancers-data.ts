import { type CallOptions, send } from './aws.ts';

/** What is read of load balancers; their SDK is no part of the project, so the members that pages show are named here. */
export interface BalancerOperations {
  DescribeLoadBalancers: {
    input: { Marker?: string | undefined };
    output: { LoadBalancers?: Balancer[]; NextMarker?: string };
  };
  DescribeListeners: { input: { LoadBalancerArn: string }; output: { Listeners?: Listener[] } };
  DescribeTargetGroups: {
    input: { LoadBalancerArn: string } | { TargetGroupArns: string[] };
    output: { TargetGroups?: TargetGroup[] };
  };
  DescribeTargetHealth: { input: { TargetGroupArn: string }; output: { TargetHealthDescriptions?: TargetHealth[] } };
}
export interface Balancer {
  readonly LoadBalancerArn?: string;
  readonly LoadBalancerName?: string;
  readonly DNSName?: string;
  readonly Scheme?: string;
  readonly Type?: string;
  readonly State?: { readonly Code?: string; readonly Reason?: string };
}
export interface Listener {
  readonly ListenerArn?: string;
  readonly Port?: number;
  readonly Protocol?: string;
  readonly DefaultActions?: readonly { readonly Type?: string; readonly TargetGroupArn?: string }[];
}
export interface TargetGroup {
  readonly TargetGroupArn?: string;
  readonly TargetGroupName?: string;
  readonly Protocol?: string;
  readonly HealthCheckPath?: string;
  readonly LoadBalancerArns?: readonly string[];
}
export interface TargetHealth {
  readonly Target?: { readonly Id?: string; readonly Port?: number };
  readonly TargetHealth?: { readonly State?: string; readonly Reason?: string; readonly Description?: string };
}

/** An operation of load balancers. @throws AwsError */
export const balancers = <Name extends keyof BalancerOperations>(
  name: Name,
  input: BalancerOperations[Name]['input'],
  options: CallOptions = {},
): Promise<BalancerOperations[Name]['output']> =>
  send(`2015-12-01/${name}`, input, options) as Promise<BalancerOperations[Name]['output']>;
