import type { QueryFunction } from './functions.ts';
import { objectIn } from './row.ts';
import { Structure, textOf } from './values.ts';

/** Functions of JSON. */
export const structureFunctions: Readonly<Record<string, QueryFunction>> = {
  jsonparse: {
    written: 'jsonParse(text)',
    takes: [1, 1],
    of: ([value], row) => {
      const text = textOf(value);
      if (value instanceof Structure || text === undefined) return value;
      row.spend(text.length);
      const found = objectIn(text) ?? listIn(text);
      return found === undefined ? undefined : new Structure(found);
    },
  },
  jsonstringify: {
    written: 'jsonStringify(field)',
    takes: [1, 1],
    of: ([value], row) => {
      const text = textOf(value);
      row.spend(text?.length ?? 0);
      return text;
    },
  },
};

function listIn(text: string): object | undefined {
  if (!text.trimStart().startsWith('[')) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
