import aws4 from 'aws4';
import { clientSettings } from './aws-client.ts';
import { ApiError } from './query-api.ts';

/**
 * One signed request to a path of the server: a route of its own, or an API of AWS that speaks methods and paths.
 * @param path with its query, escaped
 * @returns the JSON of its answer; undefined for none
 * @throws ApiError with what the server says
 */
export async function askServer(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  { service = 'ecs', data }: { readonly service?: string; readonly data?: string } = {},
): Promise<unknown> {
  const { endpoint, region, credentials } = clientSettings(data);
  const url = new URL(path, endpoint);
  const to = { method, host: url.host, path: `${url.pathname}${url.search}`, service, region };
  const { headers } = aws4.sign(to, credentials);
  const answer = await fetch(url, { method, headers: headers as Record<string, string> });
  const text = await answer.text();
  if (!answer.ok)
    throw new ApiError(
      answer.headers.get('x-amzn-errortype') ?? String(answer.status),
      messageOf(text) ?? `the server answers ${answer.status}`,
    );
  return text === '' ? undefined : JSON.parse(text);
}

function messageOf(text: string): string | undefined {
  try {
    const { message, Message } = JSON.parse(text) as { message?: string; Message?: string };
    return message ?? Message;
  } catch {
    return text.trim() === '' ? undefined : text.trim().slice(0, 500);
  }
}
