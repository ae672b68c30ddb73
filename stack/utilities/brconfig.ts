/**
 * brconfig: shows and sets the bridges of a stack, after NetBSD 4's brconfig(8) as io-pkt has it. `-v` shows in addition what the spanning tree has found out.
 */
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import type { ControlName } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { stackControl } from '../socket/libsocket.ts';
import { addressLines, bridgeText } from './brconfig-text.ts';
import { BRIDGE_WORDS, readSteps } from './brconfig-words.ts';
import type { BridgeStep } from './brconfig-words.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

async function show(self: Process, name: string, verbose: boolean): Promise<void> {
  await self.stdout.write(bridgeText(await stackControl(self, 'BRIDGE_GET', { name }), verbose));
}

async function showAll(self: Process, verbose: boolean): Promise<number> {
  for (const name of await stackControl(self, 'BRIDGE_LIST', {})) await show(self, name, verbose);
  return 0;
}

async function carryOut(self: Process, name: string, step: BridgeStep): Promise<void> {
  if (step === 'addr') {
    const { addresses } = await stackControl(self, 'BRIDGE_GET', { name });
    for (const line of addressLines(addresses, '')) await self.stdout.write(`${line}\n`);
    return;
  }
  await stackControl<ControlName>(self, step.call, step.in);
}

/** Throws CommandError with BSD's text when there is no such bridge. */
async function checkBridge(self: Process, name: string): Promise<void> {
  try {
    await stackControl(self, 'BRIDGE_GET', { name });
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== ERRNO.ENXIO) throw error;
    throw new CommandError(`interface ${name} does not exist`);
  }
}

async function run(self: Process, args: Arguments): Promise<number> {
  const [name, ...words] = args.operands;
  if (args.has('a')) {
    if (name !== undefined) throw new UsageError(`-a is about all bridges; '${name}' is too much`);
    return showAll(self, args.has('v'));
  }
  if (name === undefined) throw new UsageError('a bridge is missing; -a shows all');
  const steps = readSteps(name, words);
  await checkBridge(self, name);
  if (steps.length === 0) await show(self, name, args.has('v'));
  for (const step of steps) await carryOut(self, name, step);
  return 0;
}

async function complete(words: readonly string[], index: number, self: Process): Promise<string[]> {
  if (index <= 1) return ['-a', ...(await stackControl(self, 'BRIDGE_LIST', {}))];
  const interfaces = await stackControl(self, 'SIOCGIFCONF', {});
  return [...BRIDGE_WORDS, ...interfaces.map(({ name }) => name).filter((name) => name !== words[1])];
}

export const brconfig = command({
  name: 'brconfig',
  usage:
    '-a [-v]\n' +
    '[-v] bridge\n' +
    'bridge [up | down] [add if] [delete if] [addr] [maxaddr n] [timeout seconds] [static if address]\n' +
    ' [deladdr address] [flush | flushall] [[-]discover if] [[-]learn if] [[-]stp if] [maxage seconds]\n' +
    ' [fwddelay seconds] [hellotime seconds] [priority n] [ifpriority if n] [ifpathcost if n] [[-]ipf]',
  summary: 'show and set bridges',
  options: 'av',
  usageStatus: 1,
  run,
  complete,
});
