import { isIP } from 'node:net';
import type { AddressRule } from './addresses.ts';
import { OutboundError } from './errors.ts';

/** Ports of services that take commands in text: a request made for them could do harm before it fails. */
const forbiddenPorts = new Set([
  '21',
  '22',
  '23',
  '25',
  '53',
  '110',
  '111',
  '143',
  '445',
  '465',
  '587',
  '873',
  '1433',
  '2049',
  '2375',
  '2376',
  '2379',
  '2380',
  '3306',
  '3389',
  '5432',
  '5672',
  '6379',
  '9200',
  '9300',
  '11211',
  '27017',
]);

/**
 * Reads an address that a user gave for us to call. Check it when it is stored and before it is called: what a name
 * resolves to is checked when the connection is made, whatever it was before.
 * @throws OutboundError `bad-url`
 */
export function parseOutboundUrl(text: string, rule: AddressRule): URL {
  // The parser drops line breaks and tabs silently; whoever sends them means no good.
  if (text.length > 2048 || /[\p{Cc}\s\\]/u.test(text))
    throw bad('it has characters that a URL has not, or is too long');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw bad('it is not a URL');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw bad('only http and https are supported');
  if (url.username !== '' || url.password !== '') throw bad('it must not hold a user name or password');
  if (forbiddenPorts.has(url.port)) throw bad(`port ${url.port} is not open to requests`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') throw bad('it has no host');
  if (isIP(host) !== 0 && !rule.allows(host)) throw bad('the address is private; an operator may open its range');
  if (/(?:^|\.)localhost\.?$/i.test(host) && !rule.allows('127.0.0.1'))
    throw bad('the address is private; an operator may open its range');
  return url;
}

const bad = (reason: string): OutboundError => new OutboundError('bad-url', `The URL cannot be called: ${reason}.`);
