import { Audited, type AuditFacts, type AuditMoment } from '../audit/index.ts';
import type { Exchange, Judged } from './exchange.ts';
import { printable } from './printable.ts';

/** Decisions of one request that its line holds, and resources of one decision: a request may ask for hundreds. */
const MOST_DECISIONS = 20;
const MOST_RESOURCES = 20;
/** Characters of a resource's name; an ARN of AWS has at most 2048. */
const MOST_OF_NAME = 2048;

/**
 * What only this request's audit line says.
 * @param now milliseconds since the epoch
 */
export function auditMoment(
  { requestId, span }: Pick<Exchange, 'requestId' | 'span'>,
  now: number,
  milliseconds: number,
): AuditMoment {
  return {
    time: isoTime(now),
    requestId,
    ...(span === undefined ? undefined : { traceId: span.traceId }),
    milliseconds: Math.round(milliseconds * 10) / 10,
  };
}

let second = Number.NaN;
let toTheSecond = '';

/** As `Date` writes it; what the requests of one second have in common is made once. */
function isoTime(now: number): string {
  const at = Math.floor(now / 1000);
  if (at !== second) {
    second = at;
    toTheSecond = new Date(at * 1000).toISOString().slice(0, -4);
  }
  return `${toTheSecond}${String(Math.floor(now) - at * 1000).padStart(3, '0')}Z`;
}

/** What a request's audit line says beside that; an answer that is given again keeps it, with its text. */
export function audited(exchange: Exchange): Audited {
  const { again } = exchange;
  if (again === undefined) return new Audited(auditFacts(exchange));
  return (again.audited ??= new Audited(auditFacts(exchange)));
}

/** What is kept of a request is bounded, so that nobody writes much by asking for much. */
function auditFacts(exchange: Exchange): AuditFacts {
  const { type, arn, account, accessKeyId } = exchange.principal;
  const { judged } = exchange;
  // The last one is what a refused request failed on.
  const kept = judged.length <= MOST_DECISIONS ? judged : [...judged.slice(0, MOST_DECISIONS - 1), ...judged.slice(-1)];
  return {
    service: exchange.service,
    operation: exchange.operation,
    principal: { type, arn, account, ...(accessKeyId === undefined ? {} : { accessKeyId }) },
    via: exchange.via,
    sourceIp: exchange.sourceIp,
    userAgent: printable(exchange.request.headers['user-agent'] ?? '', 256),
    decisions: kept.map(decided),
    ...(kept.length === judged.length ? {} : { decisionsLeftOut: judged.length - kept.length }),
    status: exchange.status,
    ...(exchange.errorCode === undefined ? {} : { error: exchange.errorCode }),
    ...(exchange.detail === undefined ? {} : { detail: printable(exchange.detail, exchange.longestDetail) }),
  };
}

function decided({ access, decision }: Judged): AuditFacts['decisions'][number] {
  const { action, resources } = access;
  const { allowed, reason, statement } = decision;
  const of = statement && { policy: statement.policy, statement: statement.statement };
  return {
    action,
    resources: resources.slice(0, MOST_RESOURCES).map(({ arn }) => shortened(arn)),
    ...(resources.length > MOST_RESOURCES && { resourcesLeftOut: resources.length - MOST_RESOURCES }),
    allowed,
    reason: shortened(reason),
    ...(of && { statement: of }),
  };
}

const shortened = (text: string): string => (text.length > MOST_OF_NAME ? text.slice(0, MOST_OF_NAME) : text);
