/**
 * Rows as a table for people.
 */
import type { Row } from './row.ts';

const HEADINGS = ['name', 'value', 'unit', 'peer', 'ratio', 'gate', 'met'];
const LEFT = new Set(['name', 'unit', 'met']);
const FIGURES = 4;

function figure(value: number | undefined): string {
  if (value === undefined) return '';
  if (Math.abs(value) >= 10 ** (FIGURES - 1)) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(FIGURES)));
}

function cells({ name, value, unit, peer, ratio, gate, met }: Row): string[] {
  const judged = met === undefined ? '' : met ? 'yes' : 'no';
  return [name, figure(value), unit, figure(peer), figure(ratio), figure(gate), judged];
}

/** One line for the headings and one for each row. */
export function table(rows: readonly Row[]): string {
  const lines = [HEADINGS, ...rows.map(cells)];
  const widths = HEADINGS.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const pad = (cell: string, i: number): string =>
    LEFT.has(HEADINGS[i]!) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!);
  return lines.map((line) => `${line.map(pad).join('  ').trimEnd()}\n`).join('');
}
