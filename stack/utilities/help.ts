/**
 * help: lists the commands of a node, or tells how one is used.
 */
import { findProgram, programNames } from '../kernel/program-table.ts';
import { CommandError, command, usageText } from './command.ts';
import { builtinList } from './shell/builtins.ts';

const NAME_WIDTH = 14;

/** Programs and built-ins by name. */
function everything(): Map<string, { usage: string; summary: string }> {
  const all = new Map<string, { usage: string; summary: string }>(builtinList());
  for (const name of programNames()) all.set(name, findProgram(name)!);
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const help = command({
  name: 'help',
  usage: '[command]',
  summary: 'list commands, or tell how one is used',
  options: '',
  async run(self, { operands }) {
    const all = everything();
    const [wanted] = operands;
    if (wanted === undefined) {
      const lines = [...all].map(([name, { summary }]) => `  ${name.padEnd(NAME_WIDTH)} ${summary}\n`);
      await self.stdout.write(`${lines.join('')}Type \`help COMMAND\` for its options.\n`);
      return 0;
    }
    const entry = all.get(wanted);
    if (entry === undefined) throw new CommandError(`${wanted}: there is no such command`);
    await self.stdout.write(`${wanted}: ${entry.summary}\n${usageText(wanted, entry.usage)}`);
    return 0;
  },
  complete: () => [...everything().keys()],
});
