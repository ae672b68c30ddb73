/** What the verbs of `stackscope pf` read: rule sets, macros, and the interfaces and names that rules are read against. */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { PfEnvironment, PfInterface } from '../../stack/filter/pf/environment.ts';
import { DEFAULT_NAMES, namesOf } from '../../stack/filter/pf/name-tables.ts';
import { messageOf, usageFailure } from './failure.ts';
import { readLab } from './lab-input.ts';
import { interfacesOfNode } from './node-interfaces.ts';
import { visible } from './print.ts';

export function parseNode(text: string): { lab: string; node: string } {
  const colon = text.lastIndexOf(':');
  if (colon <= 0)
    throw new InvalidArgumentError('It must be a lab file and a node, such as router.lab.yaml:router.');
  return { lab: text.slice(0, colon), node: text.slice(colon + 1) };
}

export function addMacro(text: string, macros: Readonly<Record<string, string>>): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('It must be a name and a value, such as ext_if=en0.');
  return { ...macros, [text.slice(0, equals)]: text.slice(equals + 1) };
}

export function tell(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${visible(line).replaceAll('\\x09', '\t')}\n`);
}

export function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usageFailure(`stackscope pf: ${messageOf(error)}`);
  }
}

/** Files that a rule set names lie on this machine. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

export async function interfacesFor({
  interfaces,
}: {
  readonly interfaces?: { readonly lab: string; readonly node: string };
}): Promise<readonly PfInterface[]> {
  if (!interfaces) return interfacesOfNode([], []);
  const { lab } = await readLab(interfaces.lab);
  const node = lab.nodes.find(({ name }) => name === interfaces.node);
  if (!node) {
    const known = lab.nodes.map(({ name }) => name).join(', ');
    throw usageFailure(`stackscope pf: ${interfaces.lab} has no node ${interfaces.node}; it has ${known}`);
  }
  return interfacesOfNode(node.interfaces, node.startup);
}

/** What rules are read against outside a lab: these interfaces, and the names that every node knows. */
export function pfEnvironment(interfaces: readonly PfInterface[]): PfEnvironment {
  return { interfaces, ...namesOf(DEFAULT_NAMES), hostAddresses: () => [] };
}
