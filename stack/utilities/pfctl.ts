/**
 * pfctl: loads rule sets into PF, and shows and changes what it has, after pfctl(8) of OpenBSD 3.7, with what 4.2 added where its generation is chosen. It talks
 * to /dev/pf, which lsm-pf makes.
 */
import type { PfGeneration } from '../filter/pf/ruleset.ts';
import type { Process } from '../kernel/process.ts';
import { UsageError } from '../kernel/process.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { CommandError, command, getopt } from './command.ts';
import type { Arguments } from './command.ts';
import { flush, killSources, killStates } from './pfctl/clear.ts';
import { isErrno, openPf, PF_DEVICE, tryOpenPf } from './pfctl/device.ts';
import type { PfDevice } from './pfctl/device.ts';
import { loadFile } from './pfctl/load.ts';
import { readMachine } from './pfctl/machine.ts';
import { DEBUG_WORDS, FLUSH_WORDS, SHOW_WORDS, TABLE_WORDS, tell, wordFor } from './pfctl/session.ts';
import type { LoadParts, OpenSession, Session } from './pfctl/session.ts';
import { show } from './pfctl/show.ts';
import { tableCommand } from './pfctl/tables.ts';

/** Options of both generations but -o, which takes a level in 4.2 only. */
const OPTIONS = 'a:AdD:eqf:F:gG:hi:k:K:mnNOp:rRs:t:T:vx:z';
const OPTIMIZATIONS = ['none', 'basic', 'profile'] as const;

function generationOf(text: string | undefined): PfGeneration | undefined {
  if (text === undefined || text === '3.7' || text === '4.2') return text;
  throw new UsageError(`-G is 3.7 or 4.2, not '${text}'`);
}

/** -A, -N, -O and -R load parts of a file, `-T load` its tables; without them all is loaded. An anchor has no options and no queues. */
function loadParts(args: Arguments, isMain: boolean): LoadParts {
  const onlyTables = args.has('T') && wordFor(args.value('T') ?? '', TABLE_WORDS, 'table command') === 'load';
  const all = !onlyTables && !['A', 'N', 'O', 'R'].some((letter) => args.has(letter));
  return {
    filter: all || args.has('R'),
    nat: all || args.has('N'),
    tables: all || onlyTables,
    altq: isMain && (all || args.has('A')),
    options: isMain && (all || args.has('O')),
  };
}

/** `path`, `path/*`: the path of an anchor, and whether those below it are meant, too. */
function anchorOf(text: string): { anchor: string; recurse: boolean } {
  const recurse = text.endsWith('*');
  return { anchor: recurse ? text.replace(/\/?\*$/, '') : text, recurse };
}

async function openSession(self: Process, device: PfDevice | undefined): Promise<Session> {
  const first = getopt(self.argv.slice(1), `${OPTIONS}o`);
  const asked = generationOf(first.value('G'));
  const loaded = device && (await device.call('DIOCGETGENERATION', {})).generation;
  const generation = asked ?? loaded ?? '3.7';
  const args = generation === '4.2' ? getopt(self.argv.slice(1), `${OPTIONS}o:`) : first;
  if (generation === '4.2' && args.has('o')) wordFor(args.value('o') ?? '', OPTIMIZATIONS, 'optimization');
  const { anchor, recurse } = anchorOf(args.value('a') ?? '');
  return {
    self,
    args,
    generation,
    verbose: Math.min(2, args.values('v').length),
    quiet: args.has('q'),
    dry: args.has('n'),
    anchor,
    recurse,
    parts: loadParts(args, anchor === ''),
    machine: await readMachine(self, device),
    device,
  };
}

async function enable(session: OpenSession): Promise<void> {
  try {
    await session.device.call('DIOCSTART', {});
  } catch (error) {
    if (isErrno(error, ERRNO.EEXIST)) throw new CommandError('pf already enabled');
    throw error;
  }
  await tell(session, 'pf enabled');
}

async function disable(session: OpenSession): Promise<void> {
  try {
    await session.device.call('DIOCSTOP', {});
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) throw new CommandError('pf not enabled');
    throw error;
  }
  await tell(session, 'pf disabled');
}

async function setDebug(session: OpenSession, text: string): Promise<void> {
  const level = wordFor(text, DEBUG_WORDS, 'debug level');
  await session.device.call('DIOCSETDEBUG', { level });
  await tell(session, `debug level set to '${level}'`);
}

/** Everything that is asked for on a device, in pfctl's order. Returns the exit status. */
async function act(session: OpenSession): Promise<number> {
  const { args } = session;
  let status = 0;
  if (args.has('d')) await disable(session);
  const shown = args.value('s');
  if (shown !== undefined) await show(session, wordFor(shown, SHOW_WORDS, 'show modifier'));
  if (args.has('z') && shown === undefined) await session.device.call('DIOCCLRRULECTRS', {});
  const flushed = args.value('F');
  if (flushed !== undefined) await flush(session, wordFor(flushed, FLUSH_WORDS, 'flush modifier'));
  if (args.has('k')) await killStates(session, args.values('k'));
  if (args.has('K')) await killSources(session, args.values('K'));
  const table = args.has('T') ? wordFor(args.value('T') ?? '', TABLE_WORDS, 'table command') : 'load';
  if (table !== 'load') status = await tableCommand(session, table);
  const file = args.value('f');
  if (file !== undefined && table === 'load') status = await loadFile(session, file);
  if (status !== 0) return status;
  if (args.has('e')) await enable(session);
  const debug = args.value('x');
  if (debug !== undefined) await setDebug(session, debug);
  return 0;
}

/** With -n rule sets are read and tables asked, and nothing is changed. */
async function actDry(session: Session): Promise<number> {
  const { args, device } = session;
  const table = args.has('T') ? wordFor(args.value('T') ?? '', TABLE_WORDS, 'table command') : 'load';
  if (table !== 'load') {
    return device ? tableCommand({ ...session, device }, table) : 0;
  }
  const file = args.value('f');
  return file === undefined ? 0 : loadFile(session, file);
}

/** What cannot be meant together. Throws UsageError. */
function checkArguments(args: Arguments): void {
  for (const letter of ['k', 'K']) {
    if (args.values(letter).length > 2) throw new UsageError(`can only specify -${letter} twice`);
  }
  if (!args.has('T') && args.operands.length > 0) {
    throw new UsageError(`unknown command line argument: ${args.operands[0] ?? ''} ...`);
  }
}

async function run(self: Process, args: Arguments): Promise<number> {
  if (self.argv.length < 2 || args.has('h')) throw new UsageError('');
  const path = args.value('p') ?? PF_DEVICE;
  const device = args.has('n') ? await tryOpenPf(self, path) : await openPf(self, path);
  try {
    const session = await openSession(self, device);
    checkArguments(session.args);
    return session.dry || !device ? await actDry(session) : await act({ ...session, device });
  } finally {
    await device?.close();
  }
}

export const pfctl = command({
  name: 'pfctl',
  usage:
    '[-AdeghmNnOoqRrvz] [-a anchor] [-D macro=value] [-F modifier]\n' +
    ' [-f file] [-G generation] [-i interface] [-K host | network] [-k host | network]\n' +
    ' [-p device] [-s modifier] [-t table -T command [address ...]] [-x level]',
  summary: 'control the packet filter',
  options: `${OPTIONS}o`,
  usageStatus: 1,
  run,
  complete: (words, index) => {
    const before = words[index - 1];
    if (before === '-s') return Promise.resolve([...SHOW_WORDS]);
    if (before === '-F') return Promise.resolve([...FLUSH_WORDS]);
    if (before === '-T') return Promise.resolve([...TABLE_WORDS]);
    if (before === '-x') return Promise.resolve([...DEBUG_WORDS]);
    return Promise.resolve(['-e', '-d', '-f', '-n', '-s', '-F', '-t', '-T', '-v']);
  },
});
