import aws4 from 'aws4';
import { clientSettings } from './aws-client.ts';
import { CliError } from './errors.ts';

/** A value of an answer: text, or elements by name, each as often as it stands there. */
export interface Element {
  readonly text: string;
  readonly children: Readonly<Record<string, readonly Element[]>>;
}

const services = {
  ec2: { name: 'ec2', version: '2016-11-15' },
  elb: { name: 'elasticloadbalancing', version: '2015-12-01' },
  iam: { name: 'iam', version: '2010-05-08' },
  sts: { name: 'sts', version: '2011-06-15' },
} as const;

/** What an API has refused, by its code. */
export class ApiError extends CliError {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Calls an API of AWS that speaks Query, for which no client is among the dependencies: each would be megabytes for a handful of calls.
 * @param input members with their whole names on the wire, e.g. `Subnets.member.1`
 * @throws ApiError with what the server says
 */
export async function callQuery(
  api: keyof typeof services,
  action: string,
  input: Readonly<Record<string, string>> = {},
): Promise<Element> {
  const { name: service, version } = services[api];
  const { endpoint, region, credentials } = clientSettings();
  const body = new URLSearchParams({ Action: action, Version: version, ...input }).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const { host } = new URL(endpoint);
  const signed = aws4.sign({ host, method: 'POST', path: '/', service, region, headers, body }, credentials);
  const answer = await fetch(endpoint, { method: 'POST', headers: signed.headers as Record<string, string>, body });
  const parsed = parseXml(await answer.text());
  if (answer.ok) return parsed;
  const error = find(parsed, 'Error');
  throw new ApiError(
    textOf(error, 'Code') ?? String(answer.status),
    textOf(error, 'Message') ?? `the server answers ${answer.status}`,
  );
}

/** The first element of a name, at any depth. */
export function find(element: Element | undefined, name: string): Element | undefined {
  for (const [own, children] of Object.entries(element?.children ?? {}))
    for (const child of children) {
      const found = own === name ? child : find(child, name);
      if (found !== undefined) return found;
    }
  return undefined;
}

/** The elements of the first list of a name. */
export const listOf = (element: Element, name: string): readonly Element[] =>
  Object.values(find(element, name)?.children ?? {}).flat();

/** The text of the first element of a name; undefined where there is none. */
export const textOf = (element: Element | undefined, name: string): string | undefined => find(element, name)?.text;

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** Reads an answer of AWS's: elements and text; what is no XML is text. */
export function parseXml(xml: string): Element {
  interface Open {
    readonly name: string;
    text: string;
    readonly children: Record<string, Element[]>;
  }
  const open: Open[] = [{ name: '', text: '', children: Object.create(null) as Record<string, Element[]> }];
  const close = (): void => {
    const { name, text, children } = open.pop() as Open;
    const above = open.at(-1) as Open;
    (above.children[name] ??= []).push({ text, children });
  };
  for (const [, end, name, empty, text] of xml.matchAll(/<(\/?)([A-Za-z][\w.-]*)[^<>]*?(\/?)>|([^<>]+)/g)) {
    const last = open.at(-1) as Open;
    if (text !== undefined) last.text += text.replaceAll(/&(\w+);/g, (all, entity: string) => entities[entity] ?? all);
    else if (end === '/') {
      if (open.length > 1) close();
    } else {
      open.push({ name: name ?? '', text: '', children: Object.create(null) as Record<string, Element[]> });
      if (empty === '/') close();
    }
  }
  while (open.length > 1) close();
  const [{ text, children }] = open as [Open];
  return { text, children };
}
