import aws4 from 'aws4';
import { callers, type FrontDoor } from './front-door.ts';

interface CallOptions {
  readonly caller?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  readonly service?: string;
  readonly region?: string;
  readonly target?: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
  /** Added after signing. */
  readonly unsigned?: Record<string, string>;
}

export const ECS = 'AmazonEC2ContainerServiceV20141113';
export const FORM = 'application/x-www-form-urlencoded';

/** AWS calls to a front door as clients make them: by anybody, signed or not; ListClusters of ECS and GetCallerIdentity of STS by default. */
export function awsCalls(door: () => FrontDoor) {
  async function post(
    options: CallOptions,
    sign = true,
  ): Promise<{ status: number; headers: Headers; text: string; code: string }> {
    const body = options.body ?? '{}';
    const headers = {
      Host: new URL(door().url).host,
      'Content-Type': 'application/x-amz-json-1.1',
      ...(options.target === undefined ? {} : { 'X-Amz-Target': options.target }),
      ...options.headers,
    };
    const signed = sign
      ? aws4.sign(
          {
            method: 'POST',
            path: '/',
            service: options.service ?? 'ecs',
            region: options.region ?? 'us-east-1',
            headers,
            body: body as string,
          },
          options.caller ?? callers.admin,
        )
      : { headers };
    const {
      Host,
      'Content-Length': _,
      ...sent
    } = { ...(signed.headers as Record<string, string>), ...options.unsigned };
    void Host;
    const answer = await fetch(`${door().url}/`, { method: 'POST', headers: sent, body });
    const text = await answer.text();
    const code = text.startsWith('<')
      ? (/<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? '')
      : text.startsWith('{')
        ? ((JSON.parse(text) as { __type?: string }).__type ?? '')
        : '';
    return { status: answer.status, headers: answer.headers, text, code };
  }
  const ecs = (options: CallOptions = {}): ReturnType<typeof post> =>
    post({ target: `${ECS}.ListClusters`, ...options });
  const sts = (options: CallOptions = {}): ReturnType<typeof post> =>
    post({
      service: 'sts',
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
      ...options,
      headers: { 'Content-Type': FORM, ...options.headers },
    });
  return { post, ecs, sts };
}
