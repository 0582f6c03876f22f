import aws4 from 'aws4';
import { clientSettings } from './aws-client.ts';
import { ApiError } from './query-api.ts';

/**
 * Reads from an API of AWS that speaks methods and paths, for which no client is among the dependencies.
 * @param service its signing name
 * @param path with its query, escaped: `/2015-02-01/file-systems?MaxItems=100`
 * @throws ApiError with what the server says
 */
export async function readRest<T>(service: string, path: string): Promise<T> {
  const { endpoint, region, credentials } = clientSettings();
  const signed = aws4.sign({ host: new URL(endpoint).host, method: 'GET', path, service, region }, credentials);
  const answer = await fetch(`${endpoint}${path}`, { headers: signed.headers as Record<string, string> });
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text) as T;
  throw new ApiError(
    answer.headers.get('x-amzn-errortype') ?? String(answer.status),
    messageIn(text) ?? `the server answers ${answer.status}`,
  );
}

function messageIn(text: string): string | undefined {
  try {
    const { message, Message } = JSON.parse(text) as { message?: string; Message?: string };
    return message ?? Message;
  } catch {
    return undefined;
  }
}
