/** Tables as `pfctl -nv` lists them. */
import { printLength } from './print-address.ts';
import type { PfTable, PfTableAddress } from './ruleset.ts';

/** An entry with its prefix; `!` before one that is not meant. */
export function printTableAddress({ af, address, length, not }: PfTableAddress): string {
  return (not ? '!' : '') + (length === 0 ? 'any' : address + printLength(length, af));
}

/** `table <name> const persist file "f" { ... }`: what it was filled with in its order, lists next to each other as one. */
export function printTable(table: PfTable): string {
  const words = [`table <${table.name}>`];
  if (table.const) words.push('const');
  if (table.persist) words.push('persist');
  const written = table.written ?? (table.addresses ? [{ addresses: table.addresses }] : []);
  let list: string[] | undefined;
  const closeList = (): void => {
    if (list) words.push(['{', ...list, '}'].join(' '));
    list = undefined;
  };
  for (const part of written) {
    if ('file' in part) {
      closeList();
      words.push(`file "${part.file}"`);
    } else {
      list = [...(list ?? []), ...part.addresses.map(printTableAddress)];
    }
  }
  closeList();
  return words.join(' ');
}
