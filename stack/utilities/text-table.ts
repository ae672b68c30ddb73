/**
 * Columns of text as BSD's commands print them.
 */

/** A column: its heading, the least width, and whether it is flush right. */
export interface Column {
  readonly heading: string;
  readonly width: number;
  readonly right?: boolean;
}

/** The heading and the rows; columns are apart by one space and grow with what they hold. No blanks at line ends. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ heading, width }, i) =>
    Math.max(width, heading.length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ right }, i) =>
        right === true ? (cells[i] ?? '').padStart(widths[i]!) : (cells[i] ?? '').padEnd(widths[i]!),
      )
      .join(' ')
      .trimEnd();
  return `${[columns.map(({ heading }) => heading), ...rows].map(line).join('\n')}\n`;
}
