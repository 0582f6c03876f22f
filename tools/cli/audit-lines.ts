import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { anonymousName, type AuditLine, knownName, pagesName } from '@slipway/auth/audit';

/** How many put-aside files are looked through beside the current one. */
const files = 20;
const names = [knownName, pagesName, anonymousName];

/** The audit line of a request, from the files that the server keeps, the newest first. */
export async function findAuditLine(data: string, requestId: string): Promise<AuditLine | undefined> {
  const numbers = Array.from({ length: files + 1 }, (_, index) => (index === 0 ? '' : `.${index}`));
  for (const file of numbers.flatMap((number) => names.map((name) => `${name}${number}`))) {
    const path = join(data, 'audit', file);
    if (!existsSync(path)) continue;
    const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) {
      if (!line.includes(requestId)) continue;
      const read = JSON.parse(line) as AuditLine;
      if (read.requestId === requestId) return read;
    }
  }
  return undefined;
}
