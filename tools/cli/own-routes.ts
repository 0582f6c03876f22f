import aws4 from 'aws4';
import { clientSettings } from './aws-client.ts';
import { CliError } from './errors.ts';

/** One request to a route of the server's own, signed. @returns the JSON of its answer; undefined for none. @throws CliError with what it says */
export async function askServer(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  { service = 'ecs', data }: { readonly service?: string; readonly data?: string } = {},
): Promise<unknown> {
  const { endpoint, region, credentials } = clientSettings(data);
  const url = new URL(path, endpoint);
  const { headers } = aws4.sign({ method, host: url.host, path: url.pathname, service, region }, credentials);
  const answer = await fetch(url, { method, headers: headers as Record<string, string> });
  const text = await answer.text();
  if (!answer.ok) throw new CliError(messageOf(text) ?? `the server answers ${answer.status}`);
  return text === '' ? undefined : JSON.parse(text);
}

function messageOf(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { message?: string }).message;
  } catch {
    return text.trim() === '' ? undefined : text.trim().slice(0, 500);
  }
}
