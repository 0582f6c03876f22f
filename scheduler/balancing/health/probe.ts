import { Agent as HttpAgent, get as httpGet, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { get as httpsGet } from 'node:https';
import { connect } from 'node:net';

import type { HealthCheckRecord, ProtocolVersion } from '../records/index.ts';

import { type CheckResult, matches } from './state.ts';

/** What is checked. */
export interface Checked {
  readonly address: string;
  readonly port: number;
  readonly check: HealthCheckRecord;
  /** Of the group, HTTP1 for those that have none. */
  readonly version: ProtocolVersion;
}

/** Checks a target once; never rejects. It takes no longer than the check's timeout. */
export type Probe = (checked: Checked) => Promise<CheckResult>;

const agent = 'ELB-HealthChecker/2.0';

/** Checks over the network: a connection of its own for each check, closed after it (ELB: "Connection: close"). */
export const networkProbe: Probe = (checked) => {
  const { protocol } = checked.check;
  if (protocol === 'TCP') return checkTcp(checked);
  return checked.version === 'HTTP1' ? checkHttp(checked) : checkHttp2(checked);
};

/** Ends with the first answer: a result, an error, or that the time is over. */
function race(
  { address, port, check }: Checked,
  begin: (done: (result: CheckResult) => void, failed: (error: Error) => void) => () => void,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    let end: (() => void) | undefined;
    const finish = (result: CheckResult): void => {
      clearTimeout(timer);
      resolve(result);
      end?.();
    };
    const timer = setTimeout(() => finish({ kind: 'timeout' }), check.timeout * 1000);
    end = begin(finish, (error) => {
      const code = (error as NodeJS.ErrnoException).code ?? error.message;
      finish({ kind: 'failed', problem: `${address}:${port}: ${code}`.slice(0, 200) });
    });
  });
}

const checkTcp = (checked: Checked): Promise<CheckResult> =>
  race(checked, (done, failed) => {
    const socket = connect({ host: checked.address, port: checked.port });
    socket.on('connect', () => done({ kind: 'passed' }));
    socket.on('error', failed);
    return () => socket.destroy();
  });

function checkHttp(checked: Checked): Promise<CheckResult> {
  const { address, port, check } = checked;
  const isSecure = check.protocol === 'HTTPS';
  return race(checked, (done, failed) => {
    const options: RequestOptions & { rejectUnauthorized: boolean } = {
      host: address,
      port,
      path: check.path,
      agent: isSecure ? undefined : new HttpAgent({ keepAlive: false }),
      headers: { Host: hostOf(checked), 'User-Agent': agent, Connection: 'close', Accept: '*/*' },
      // As ELB: certificates of targets are not verified.
      rejectUnauthorized: false,
    };
    const answered = (response: IncomingMessage): void => done(judge(check, response.statusCode ?? 0));
    const request = isSecure ? httpsGet({ ...options, agent: false }, answered) : httpGet(options, answered);
    request.on('error', failed);
    return () => request.destroy();
  });
}

/** HTTP/2 with prior knowledge; a gRPC check calls the path as a method, and reads the status of the call. */
function checkHttp2(checked: Checked): Promise<CheckResult> {
  const { check, version } = checked;
  const scheme = check.protocol === 'HTTPS' ? 'https' : 'http';
  return race(checked, (done, failed) => {
    const session = connectHttp2(`${scheme}://${checked.address}:${checked.port}`, { rejectUnauthorized: false });
    session.on('error', failed);
    const isGrpc = version === 'GRPC';
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: isGrpc ? 'POST' : 'GET',
      [constants.HTTP2_HEADER_PATH]: check.path ?? '/',
      [constants.HTTP2_HEADER_AUTHORITY]: hostOf(checked),
      'user-agent': agent,
      ...(isGrpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
    });
    // One that is cancelled since its connection failed says why.
    stream.on('error', (error) => failed(error.cause instanceof Error ? error.cause : error));
    const judgeGrpc = (headers: object): void => {
      const status = (headers as Readonly<Record<string, string | undefined>>)['grpc-status'];
      if (status !== undefined) done(judge(check, Number(status)));
    };
    stream.on('response', (headers) => (isGrpc ? judgeGrpc(headers) : done(judge(check, headers[':status'] ?? 0))));
    if (isGrpc) {
      stream.on('trailers', judgeGrpc);
      stream.on('end', () => failed(new Error('the call ended without a grpc-status')));
      stream.resume();
      // An empty message: not compressed, no bytes (gRPC over HTTP/2, "Length-Prefixed-Message").
      stream.end(Buffer.alloc(5));
    }
    return () => session.destroy();
  });
}

const judge = ({ matcher = '200' }: HealthCheckRecord, code: number): CheckResult =>
  matches(matcher, code) ? { kind: 'passed' } : { kind: 'code', code };

/** The address, and the port where it is not the protocol's own. */
const hostOf = ({ address, port, check }: Checked): string =>
  port === (check.protocol === 'HTTPS' ? 443 : 80) ? address : `${address}:${port}`;
