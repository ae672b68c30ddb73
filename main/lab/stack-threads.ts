/**
 * What the options of io-pkt that concern threads mean in a lab, where one pool serves the stacks of all nodes: -tN lets at most N of its threads work on the stack at
 * once, -D takes one of them for the stack work of those who ask for it.
 */
import { DEFAULT_PRIORITY } from '../../stack/io-pkt/instance.ts';
import type { StackCommand } from '../../stack/io-pkt/command-line.ts';
import type { Stack } from '../../stack/net/stack.ts';
import { MOST_URGENT, moveHome, sources } from '../../stack/runtime/source.ts';
import type { Engine } from './engine.ts';

/** Notes what the command line says in the record of a new stack. No thread works meanwhile. Returns what the user is to know, for the system log. */
export function applyThreadOptions(stack: Stack, command: StackCommand, engine: Engine): string[] {
  const warnings: string[] = [];
  stack.receivePriority = receivePriority(command, warnings);
  if (command.dedicated) dedicate(stack, engine, warnings);
  stack.threadLimit = command.threads ?? 0;
  if (stack.threadLimit > engine.workers())
    warnings.push(`-t ${stack.threadLimit}: the lab has ${engine.workers()} for the stacks of all nodes`);
  return warnings;
}

/** rx_prio and rx_pulse_prio are the same. */
function receivePriority({ tcpip }: StackCommand, warnings: string[]): number {
  for (const name of ['rx_prio', 'rx_pulse_prio']) {
    const text = tcpip.get(name);
    if (text === undefined) continue;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= 1 && value <= MOST_URGENT) return value;
    warnings.push(`-ptcpip ${name}=${text}: not a whole number from 1 to ${MOST_URGENT}, ignored`);
  }
  return DEFAULT_PRIORITY;
}

function dedicate(stack: Stack, engine: Engine, warnings: string[]): void {
  const thread = engine.dedicate();
  if (thread === 0) {
    warnings.push('-D: the lab has no thread to spare for the stack context, which all threads take in turn');
    return;
  }
  stack.dedicated = 1;
  moveHome(sources.get(stack.source), thread);
}

/** The stack ends: nobody keeps a thread for it any more. No thread works meanwhile. */
export function releaseThreads(stack: Stack, engine: Engine): void {
  if (stack.dedicated !== 0) engine.release();
}
