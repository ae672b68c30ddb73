/** Files of tables (pf.conf(5), TABLES): addresses, networks and names between blanks, `!` before one that is not meant, `#` for comments. */

/** The entries, each with its `!` before it. */
export function parseTableFile(text: string): string[] {
  const entries: string[] = [];
  for (const line of text.split('\n')) {
    for (const [entry] of line.replace(/#.*/, '').matchAll(/(?:!\s*)*[^\s!]\S*/g))
      entries.push(entry.replace(/\s+/g, ''));
  }
  return entries;
}
