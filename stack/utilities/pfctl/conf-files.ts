/** Rule sets read from files of the node, with the files that they name. The parser asks for files at once; those that it has not seen are read, and it starts again. */
import type { PfError } from '../../filter/pf/errors.ts';
import { parsePfConf } from '../../filter/pf/parse.ts';
import type { PfParsed } from '../../filter/pf/parse.ts';
import { readTextFile } from '../../kernel/files.ts';
import type { Process } from '../../kernel/process.ts';
import { CommandError } from '../command.ts';
import { textIfThere } from './machine.ts';
import type { Session } from './session.ts';

/** Files that rule sets may name: tables and fingerprints. */
const FILES_MAX = 1000;

/** Text of a file; `-` is standard input. Throws CommandError. */
export async function readConf(self: Process, path: string): Promise<string> {
  if (path !== '-') return readTextFile(self, path);
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = await self.stdin.read(self.signal);
    if (part === undefined) break;
    parts.push(part);
  }
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode();
}

/** Macros of -D. Throws CommandError. */
function macrosOf({ args }: Session): Record<string, string> {
  return Object.fromEntries(
    args.values('D').map((text) => {
      const equals = text.lastIndexOf('=');
      if (equals <= 0) throw new CommandError(`could not parse macro definition ${text}`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

/** A key of 128 bits for source-hash, in hexadecimal. */
function randomKey({ node }: Process): string {
  const word = (): string =>
    Math.floor(node.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return word() + word() + word() + word();
}

/** Reads a rule set; what it names is read from the node, too. */
export async function parseConf(
  session: Session,
  text: string,
): Promise<PfParsed | { errors: readonly PfError[] }> {
  const files = new Map<string, string | undefined>();
  const macros = macrosOf(session);
  for (;;) {
    const missing = new Set<string>();
    const parsed = parsePfConf(text, session.machine, {
      generation: session.generation,
      macros,
      readFile(path) {
        if (files.has(path)) return files.get(path);
        missing.add(path);
        return '';
      },
      randomKey: () => randomKey(session.self),
    });
    if (missing.size === 0 || files.size > FILES_MAX) return parsed;
    for (const path of missing) files.set(path, await textIfThere(session.self, path));
  }
}
