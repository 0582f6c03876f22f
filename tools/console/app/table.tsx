import type { ComponentChildren, JSX } from 'preact';
import { useWindow } from './window.ts';

/**
 * Rows of a table whose columns have names; on a narrow screen each row is a card, and each cell says its column's name. Of very many rows,
 * only those near to what is in sight are on the page.
 */
export function Table<Row>(props: {
  readonly caption: string;
  readonly columns: readonly {
    readonly name: string;
    readonly cell: (row: Row) => ComponentChildren;
    readonly number?: true;
    readonly wide?: true;
  }[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
}): JSX.Element {
  const { columns, rows } = props;
  const { body, from, to, above, below } = useWindow(rows.length);
  const isPart = from > 0 || to < rows.length;
  return (
    <table class={isPart ? 'part' : ''} aria-rowcount={isPart ? rows.length + 1 : undefined}>
      <caption class="unseen">{props.caption}</caption>
      <thead>
        <tr>
          {columns.map(({ name, number }) => (
            <th key={name} scope="col" class={number ? 'number' : ''}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        {above > 0 ? <Space key="above" height={above} columns={columns.length} /> : null}
        {rows.slice(from, to).map((row, at) => (
          <tr key={`row ${props.keyOf(row)}`} aria-rowindex={isPart ? from + at + 2 : undefined}>
            {columns.map(({ name, cell, number, wide }) => (
              <td key={name} data-name={name} class={`${number ? 'number' : ''} ${wide ? 'wide' : ''}`}>
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
        {below > 0 ? <Space key="below" height={below} columns={columns.length} /> : null}
      </tbody>
    </table>
  );
}

/** Stands for the rows that are not on the page, so that it is as long as it would be with them. */
const Space = ({ height, columns }: { readonly height: number; readonly columns: number }): JSX.Element => (
  <tr class="space" aria-hidden="true">
    <td colSpan={columns} style={{ height: `${height}px` }} />
  </tr>
);
