import aws4 from 'aws4';
import { clientSettings } from './aws-client.ts';
import { ApiError } from './query-api.ts';

const services = {
  logs: { target: 'Logs_20140328', version: '1.1' },
  secretsmanager: { target: 'secretsmanager', version: '1.1' },
  'application-autoscaling': { target: 'AnyScaleFrontendService', version: '1.1' },
  codedeploy: { target: 'CodeDeploy_20141006', version: '1.1' },
  ssm: { target: 'AmazonSSM', version: '1.1' },
  monitoring: { target: 'GraniteServiceVersion20100801', version: '1.0' },
} as const;

/**
 * Calls an API of AWS that speaks JSON, for which no client is among the dependencies: each would be megabytes for a handful of calls.
 * @throws ApiError with what the server says; TypeError when it does not answer
 */
export async function callJson<T>(
  service: keyof typeof services,
  action: string,
  input: object,
  signal?: AbortSignal,
): Promise<T> {
  const { endpoint, region, credentials } = clientSettings();
  const { target, version } = services[service];
  const body = JSON.stringify(input);
  const headers = {
    'Content-Type': `application/x-amz-json-${version}`,
    'X-Amz-Target': `${target}.${action}`,
  };
  const { host } = new URL(endpoint);
  const signed = aws4.sign({ host, method: 'POST', path: '/', service, region, headers, body }, credentials);
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: signed.headers as Record<string, string>,
    body,
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text) as T;
  const error = parsed(text);
  throw new ApiError(
    error.__type?.split('#').at(-1) ?? String(answer.status),
    error.message ?? error.Message ?? `the server answers ${answer.status}`,
  );
}

function parsed(text: string): { readonly __type?: string; readonly message?: string; readonly Message?: string } {
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}
