import { isPosition, type LogEvent } from '../store/contract.ts';

/** Which event a pointer is about. */
export interface Pointed {
  readonly group: string;
  readonly stream: string;
  readonly id: string;
}

/** What GetLogRecord finds an event by (`@ptr`). It is no secret and no proof: who uses it needs to be allowed to. */
export const pointerOf = (group: string, { stream, id }: Pick<LogEvent, 'stream' | 'id'>): string =>
  Buffer.from(`${id}\0${group}\0${stream}`).toString('base64url');

/** Undefined when a text is no pointer. */
export function readPointer(text: string): Pointed | undefined {
  if (text.length > 8192 || !/^[\w-]+$/.test(text)) return undefined;
  const [id = '', group = '', stream = '', ...more] = Buffer.from(text, 'base64url').toString().split('\0');
  if (!isPosition(id) || !/^[.\-_/#A-Za-z0-9]{1,512}$/.test(group) || stream === '' || more.length > 0)
    return undefined;
  return { id, group, stream };
}
