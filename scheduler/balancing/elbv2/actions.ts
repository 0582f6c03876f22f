import { AwsError } from '@slipway/auth/contract';

import {
  type ActionRecord,
  type Balancing,
  carries,
  groupsOfAction,
  type ListenerRecord,
  type LoadBalancerRecord,
  mostGroupsOfAction,
  needsHttps,
  type Protocol,
  type TargetGroupRecord,
} from '../records/index.ts';

import { invalidConfiguration, notFound, tooMany, validation } from './errors.ts';
import { lookUp } from './lists.ts';
import { groupArn } from './names.ts';
import type { Scene } from './operation.ts';
import { checkTargets, mostGroupsOfBalancer } from './quotas.ts';
import type { Action } from './shapes.ts';

/** What ELB calls a kind of action, and what is asked for when it is not done here. */
const notDone: Readonly<Record<string, string>> = {
  'authenticate-oidc': 'let the service behind the load balancer sign people in',
  'authenticate-cognito': 'let the service behind the load balancer sign people in',
  'jwt-validation': 'let the service behind the load balancer check tokens',
};

/** Where an action is to stand. */
export interface ActionPlace {
  readonly balancer: LoadBalancerRecord;
  readonly protocol: Protocol;
}

/**
 * The action of a listener or rule.
 * @throws ValidationError, InvalidLoadBalancerAction, TargetGroupNotFound, IncompatibleProtocols, TargetGroupAssociationLimit, and others
 */
export function actionFor(
  scene: Scene,
  balancing: Balancing,
  place: ActionPlace,
  given: readonly Action[],
): ActionRecord {
  const [only, ...more] = given;
  if (only === undefined) throw validation('Actions must be specified');
  const refused = given.map(({ Type = '' }) => Type).find((type) => Object.hasOwn(notDone, type));
  if (refused !== undefined)
    throw invalidAction(`Actions of type ${refused} are not supported by this installation: ${notDone[refused]}.`);
  if (more.length > 0)
    throw given.length > 5
      ? tooMany('TooManyActions', 'actions of a rule', 5)
      : invalidAction('Exactly one action of type forward, redirect or fixed-response must be specified');
  if (place.balancer.type === 'network' && only.Type !== 'forward')
    throw invalidAction('Actions for a Network Load Balancer must be of type forward');
  const action = parse(scene, balancing, only);
  if (action.type === 'forward') checkGroups(scene, balancing, place, action);
  return action;
}

const invalidAction = (message: string): AwsError => new AwsError('InvalidLoadBalancerAction', message);

function parse(scene: Scene, balancing: Balancing, given: Action): ActionRecord {
  const order = given.Order === undefined ? {} : { order: given.Order };
  const wanted = { forward: 'ForwardConfig', redirect: 'RedirectConfig', 'fixed-response': 'FixedResponseConfig' };
  const mine = wanted[given.Type as keyof typeof wanted] as keyof Action;
  for (const other of ['ForwardConfig', 'RedirectConfig', 'FixedResponseConfig'] as const)
    if (other !== mine && given[other] !== undefined)
      throw invalidAction(`${other} cannot be specified for an action of type ${given.Type ?? ''}`);
  switch (given.Type) {
    case 'forward':
      return { type: 'forward', ...order, ...parseForward(scene, balancing, given) };
    case 'redirect':
      return { type: 'redirect', ...order, ...parseRedirect(given) };
    case 'fixed-response':
      return { type: 'fixed-response', ...order, ...parseFixedResponse(given) };
    case undefined:
    default:
      throw invalidAction(`'${(given.Type ?? '').slice(0, 100)}' is not a type of action`);
  }
}

type Forward = Extract<ActionRecord, { readonly type: 'forward' }>;

function parseForward(
  scene: Scene,
  balancing: Balancing,
  { TargetGroupArn: arn = '', ForwardConfig: config }: Action,
): Pick<Forward, 'targetGroups' | 'stickiness'> {
  const tuples = config?.TargetGroups ?? [];
  // Terraform sends the group both ways.
  if (arn !== '' && tuples.length > 0 && (tuples.length > 1 || tuples[0]?.TargetGroupArn !== arn))
    throw validation('A target group ARN and a forward config that names other target groups cannot both be specified');
  const asked = tuples.length > 0 ? tuples : arn === '' ? [] : [{ TargetGroupArn: arn, Weight: undefined }];
  if (asked.length === 0) throw validation('A forward action must specify a target group');
  if (asked.length > mostGroupsOfAction)
    throw validation(`A forward action can specify up to ${mostGroupsOfAction} target groups`);
  const targetGroups = asked.map(({ TargetGroupArn = '', Weight = 1 }) => {
    if (!Number.isInteger(Weight) || Weight < 0 || Weight > 999)
      throw validation(`Weight '${Weight}' must be between 0 and 999`);
    const group = lookUp(scene, balancing, 'targetgroup', TargetGroupArn);
    if (group === undefined) throw notFound('targetgroup');
    return { id: group.id, weight: Weight };
  });
  if (new Set(targetGroups.map(({ id }) => id)).size < targetGroups.length)
    throw validation('A target group can be specified only once in a forward action');
  const { Enabled: enabled = false, DurationSeconds: seconds } = config?.TargetGroupStickinessConfig ?? {};
  if (enabled && seconds === undefined)
    throw validation('Target group stickiness duration must be specified when stickiness is enabled');
  if (seconds !== undefined && (seconds < 1 || seconds > 604_800))
    throw validation('Target group stickiness duration must be between 1 and 604800 seconds');
  const stickiness = { enabled, ...(seconds === undefined ? {} : { seconds }) };
  return { targetGroups, stickiness };
}

type Redirect = Extract<ActionRecord, { readonly type: 'redirect' }>;

function parseRedirect({ RedirectConfig: config = {} }: Action): Omit<Redirect, 'type' | 'order'> {
  const { Protocol: protocol = '#{protocol}', Host: host = '#{host}', Port: port = '#{port}' } = config;
  const { Path: path = '/#{path}', Query: query = '#{query}', StatusCode: status } = config;
  if (status !== 'HTTP_301' && status !== 'HTTP_302')
    throw validation('The status code of a redirect must be HTTP_301 or HTTP_302');
  if (!/^(?:HTTPS?|#\{protocol\})$/.test(protocol))
    throw validation(`'${protocol.slice(0, 100)}' is not a protocol of a redirect`);
  if (port !== '#{port}' && !(/^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535))
    throw validation(`The port of a redirect must be from 1 to 65535, or #{port}`);
  if (!path.startsWith('/')) throw validation(`The path of a redirect must start with '/'`);
  for (const [name, text] of Object.entries({ host, path, query })) {
    if (text.length > 128) throw validation(`The ${name} of a redirect can have up to 128 characters`);
    if (!/^[\x21-\x7e]*$/.test(text)) throw validation(`The ${name} of a redirect has characters that are not allowed`);
    for (const [keyword] of text.matchAll(/#\{[^}]*\}?/g))
      if (!keywords.has(keyword)) throw validation(`'${keyword}' is not a keyword of a redirect`);
  }
  if (protocol === '#{protocol}' && host === '#{host}' && port === '#{port}' && path === '/#{path}')
    throw invalidAction(
      'Invalid URL for the redirect action: at least one of protocol, host, port and path must differ from the request',
    );
  return { status: status === 'HTTP_301' ? 301 : 302, protocol, host, port, path, query };
}

const keywords = new Set(['#{protocol}', '#{host}', '#{port}', '#{path}', '#{query}']);
const contentTypes = ['text/plain', 'text/css', 'text/html', 'application/javascript', 'application/json'];

type FixedResponse = Extract<ActionRecord, { readonly type: 'fixed-response' }>;

function parseFixedResponse({ FixedResponseConfig: config = {} }: Action): Omit<FixedResponse, 'type' | 'order'> {
  const { StatusCode: status = '', ContentType: contentType, MessageBody: body } = config;
  if (!/^[245][0-9][0-9]$/.test(status))
    throw validation('The status code of a fixed response must be 2xx, 4xx or 5xx');
  if (contentType !== undefined && contentType !== '' && !contentTypes.includes(contentType))
    throw validation(`The content type of a fixed response must be one of ${contentTypes.join(', ')}`);
  if (body !== undefined && body.length > 1024)
    throw validation('The message body of a fixed response can have up to 1024 characters');
  return {
    status: Number(status),
    ...(contentType === undefined || contentType === '' ? {} : { contentType }),
    ...(body === undefined || body === '' ? {} : { body }),
  };
}

/** @throws IncompatibleProtocols, InvalidConfigurationRequest, TargetGroupAssociationLimit, TooManyUniqueTargetGroupsPerLoadBalancer, TooManyTargets */
function checkGroups(scene: Scene, balancing: Balancing, { balancer, protocol }: ActionPlace, action: Forward): void {
  const groups = action.targetGroups.map(({ id }) => balancing.get('targetgroup', id) as TargetGroupRecord);
  const elsewhere: string[] = [];
  for (const group of groups) {
    if (!carries(protocol, group))
      throw new AwsError(
        'IncompatibleProtocols',
        `The protocol ${group.protocol} of the target group '${groupArn(scene, group)}' is incompatible with the listener's, ${protocol}`,
      );
    if (needsHttps(group) && protocol !== 'HTTPS')
      throw invalidConfiguration(
        `The target group '${groupArn(scene, group)}' has the protocol version ${group.protocolVersion}, which needs an HTTPS listener`,
      );
    if (group.vpcId !== balancer.vpcId)
      throw invalidConfiguration(
        `The target group '${groupArn(scene, group)}' is in the VPC ${group.vpcId}, and the load balancer in ${balancer.vpcId}`,
      );
    const other = balancing.balancerOfGroup(group.id);
    if (other !== undefined && other.id !== balancer.id) elsewhere.push(groupArn(scene, group));
  }
  if (elsewhere.length > 0)
    throw new AwsError(
      'TargetGroupAssociationLimit',
      `The following target groups cannot be associated with more than one load balancer: ${elsewhere.join(', ')}`,
    );
  const named = new Set([...balancing.groupsOf(balancer.id), ...groupsOfAction(action)]);
  if (named.size > mostGroupsOfBalancer)
    throw tooMany('TooManyUniqueTargetGroupsPerLoadBalancer', 'target groups of a load balancer', mostGroupsOfBalancer);
  checkTargets(balancing, named);
}

/** An action as ELB shows it: of one group by its ARN too. */
export function viewAction(scene: Scene, balancing: Balancing, action: ActionRecord): Action {
  const order = action.order === undefined ? {} : { Order: action.order };
  switch (action.type) {
    case 'forward': {
      const tuples = action.targetGroups.map(({ id, weight }) => ({
        TargetGroupArn: groupArn(scene, balancing.get('targetgroup', id) as TargetGroupRecord),
        Weight: weight,
      }));
      const { enabled = false, seconds } = action.stickiness ?? {};
      return {
        Type: 'forward',
        ...order,
        ...(tuples.length === 1 ? { TargetGroupArn: tuples[0]?.TargetGroupArn } : {}),
        ForwardConfig: {
          TargetGroups: tuples,
          TargetGroupStickinessConfig: {
            Enabled: enabled,
            ...(seconds === undefined ? {} : { DurationSeconds: seconds }),
          },
        },
      };
    }
    case 'redirect': {
      const { status, protocol, host, port, path, query } = action;
      return {
        Type: 'redirect',
        ...order,
        RedirectConfig: {
          Protocol: protocol,
          Port: port,
          Host: host,
          Path: path,
          Query: query,
          StatusCode: `HTTP_${status}`,
        },
      };
    }
    case 'fixed-response': {
      const { status, contentType, body } = action;
      return {
        Type: 'fixed-response',
        ...order,
        FixedResponseConfig: {
          StatusCode: String(status),
          ...(contentType === undefined ? {} : { ContentType: contentType }),
          ...(body === undefined ? {} : { MessageBody: body }),
        },
      };
    }
  }
}

/** The listener's place for actions. */
export function placeOf(balancing: Balancing, listener: ListenerRecord): ActionPlace {
  const balancer = balancing.get('loadbalancer', listener.loadBalancerId);
  if (balancer === undefined) throw notFound('loadbalancer');
  return { balancer, protocol: listener.protocol };
}
