// A terminal as a person sees it: keeps the characters on its screen. Knows the control sequences that the line editor uses (ECMA-48) and
// throws on any other, so that no test passes on output that a real terminal would show differently.
import type { Terminal } from '../../../stack/utilities/shell/terminal.ts';

export interface Screen extends Terminal {
  /** The rows from the top, without blanks at their ends; empty rows at the bottom are left out. */
  lines(): string[];
  cursor(): { row: number; column: number };
  /** Types text and waits until the shell has dealt with it. */
  type(text: string): Promise<void>;
}

export function createScreen(columns = 40): Screen {
  let cells: string[][] = [[]];
  let row = 0;
  let column = 0;
  let listener = (_text: string): void => undefined;

  function put(char: string): void {
    // A full row wraps when the next character comes, not before.
    if (column === columns) newLine();
    if (column === columns || char === '') return;
    const line = cells[row]!;
    while (line.length < column) line.push(' ');
    line[column++] = char;
  }
  function newLine(): void {
    row++;
    column = 0;
    if (row === cells.length) cells.push([]);
  }
  function control(parameter: number, final: string): void {
    if (final === 'A') row = Math.max(0, row - (parameter || 1));
    else if (final === 'C') column = Math.min(columns - 1, column + (parameter || 1));
    else if (final === 'H') [row, column] = [0, 0];
    else if (final === 'J' && parameter === 2) cells = cells.map(() => []);
    else if (final === 'J' && parameter === 0) {
      cells[row]!.length = Math.min(cells[row]!.length, column);
      cells.length = row + 1;
    } else throw new Error(`the terminal does not know CSI ${parameter}${final}`);
  }
  function write(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const char = text[at]!;
      const sequence = /^\[(\d*)([A-Za-z])/.exec(text.slice(at + 1));
      if (char === '\r') column = 0;
      else if (char === '\n') {
        const keep = column;
        newLine();
        column = Math.min(keep, columns - 1);
      } else if (char === '\b') column = Math.max(0, Math.min(column, columns - 1) - 1);
      else if (char === '\x1b' && sequence !== null) {
        control(Number(sequence[1]), sequence[2]!);
        at += sequence[0].length;
      } else if (char >= ' ') put(char);
      else if (char !== '\x07')
        throw new Error(`the terminal does not know \\x${char.charCodeAt(0).toString(16)}`);
    }
  }
  return {
    columns,
    rows: 24,
    write,
    onInput(callback) {
      listener = callback;
    },
    onResize: () => undefined,
    lines() {
      const lines = cells.map((line) => line.join('').trimEnd());
      while (lines.at(-1) === '') lines.pop();
      return lines;
    },
    cursor: () => ({ row, column }),
    async type(text) {
      listener(text);
      for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
