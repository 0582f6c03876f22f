import { isIP } from 'node:net';

import type { AddressRule } from '@slipway/auth/outbound';

import { logDrivers } from './log-drivers.ts';

/** Which addresses log drivers may send to, and what an operator can do about one that is closed, a sentence. */
export interface LogRule {
  readonly addresses: AddressRule;
  readonly remedy: string;
}

/** Where a log driver was told to send to. */
export interface LogDestination {
  readonly option: string;
  /** A name or an address, without brackets. */
  readonly host: string;
  /** Whether nothing but the address matters to the connection (no TLS). */
  readonly plain: boolean;
  /** The option's value with another host. */
  readonly at: (host: string) => string;
}

type Options = Readonly<Record<string, string>>;

/** One spelling only: engine and we must read the same host out of it. */
const addressForm =
  /^(?:([a-z][a-z+]*):\/\/)?([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])?(:\d{1,5})?\/?$/;

/**
 * Why an engine must not be given these options for a log driver, or undefined. Names are checked as far as they go by
 * themselves; what they resolve to is for {@link settleLogOptions}. (Docker documentation, "Configure logging drivers".)
 */
export function refuseLogOptions(name: string, options: Options, rule: LogRule): string | undefined {
  const driver = logDrivers.get(name);
  if (driver === undefined) return `The log driver '${name}' is not one of ${[...logDrivers.keys()].join(', ')}.`;
  for (const [option, value] of Object.entries(options)) {
    if (!driver.options.has(option)) return `The log driver '${name}' has no option '${option}'.`;
    if (driver.files.has(option)) return `The log option '${option}' names a file of the container instance.`;
    if (driver.reserved.has(option)) return `The log option '${option}' is not for task definitions.`;
    if (option === 'awslogs-region' && !/^[a-z0-9-]{1,64}$/.test(value))
      return `The log option '${option}' must be a region, not '${value}'.`;
  }
  const found = logDestination(name, options);
  if (found === undefined || typeof found === 'string') return found;
  return refuseHost(found, rule);
}

/**
 * The options with which a container may be created now: names are resolved and every answer is checked, and where the name
 * does not matter to the connection the engine gets the address that was checked, so that the name cannot change its mind.
 * @throws LogOptionsRefused
 */
export async function settleLogOptions(
  name: string,
  options: Options,
  reach: { readonly logs: LogRule; readonly resolve: (host: string) => Promise<readonly string[]> },
): Promise<Options> {
  const refused = refuseLogOptions(name, options, reach.logs);
  if (refused !== undefined) throw new LogOptionsRefused(refused);
  const found = logDestination(name, options);
  if (found === undefined || typeof found === 'string' || isIP(found.host) !== 0) return options;
  const addresses = await reach.resolve(found.host).catch(() => []);
  const [first] = addresses;
  if (first === undefined)
    throw new LogOptionsRefused(`The host '${found.host}' of the log option '${found.option}' cannot be resolved.`);
  const closed = addresses.find((address) => !reach.logs.addresses.allows(address));
  if (closed !== undefined)
    throw new LogOptionsRefused(
      `The host '${found.host}' of the log option '${found.option}' resolves to ${closed}, which is private. ${reach.logs.remedy}`,
    );
  return found.plain ? { ...options, [found.option]: found.at(first) } : options;
}

/** A container must not be created with the log options that its task definition has; the message says why. */
export class LogOptionsRefused extends Error {
  override readonly name = 'LogOptionsRefused';
}

/** Where the options send logs to; undefined when they name no address, a text that says what is wrong with the one they name. */
export function logDestination(name: string, options: Options): LogDestination | string | undefined {
  const address = logDrivers.get(name)?.address;
  const value = address === undefined ? undefined : options[address.option];
  if (address === undefined || value === undefined) return undefined;
  const { option, schemes, implied } = address;
  if (/^unix(?:gram)?:/i.test(value))
    return `The log option '${option}' names a socket of the container instance, '${value}'.`;
  const [, scheme = implied, bracketed = '', port = ''] = addressForm.exec(value) ?? [];
  const kind = Object.hasOwn(schemes, scheme ?? '') ? schemes[scheme ?? ''] : undefined;
  if (kind === undefined || bracketed === '' || Number(port.slice(1)) > 65_535) {
    return `The log option '${option}' must be ${Object.keys(schemes).join(':// or ')}:// with a host and a port, not '${value}'.`;
  }
  const host = bracketed.replace(/^\[|\]$/g, '');
  if (isIP(host) === 0 && (bracketed !== host || /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i.test(host)))
    return `The log option '${option}' names '${bracketed}', which is neither an address nor a name.`;
  return {
    option,
    host,
    plain: kind === 'plain',
    at: (other: string) => `${scheme ?? ''}://${isIP(other) === 6 ? `[${other}]` : other}${port}`,
  };
}

function refuseHost({ option, host }: LogDestination, rule: LogRule): string | undefined {
  const loopback = /(?:^|\.)localhost\.?$/i.test(host);
  if (isIP(host) === 0 && !loopback) return undefined;
  return rule.addresses.allows(loopback ? '127.0.0.1' : host)
    ? undefined
    : `The log option '${option}' names ${host}, which is private. ${rule.remedy}`;
}
