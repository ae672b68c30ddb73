/** `pfctl -t table -T command`: tables and their addresses (pfctl(8)). What was done is told on standard error. */
import type { PfTableResult } from '../../filter/pf/ioctl.ts';
import type { PfTableAddress } from '../../filter/pf/ruleset.ts';
import { parseTableFile } from '../../filter/pf/table-file.ts';
import { UsageError } from '../../kernel/process.ts';
import { ERRNO } from '../../runtime/messages/errno.ts';
import { CommandError, numberIn } from '../command.ts';
import { addressesOf } from './clear.ts';
import { readConf } from './conf-files.ts';
import { isErrno } from './device.ts';
import { clearedText, namesFor } from './show.ts';
import { print, tell } from './session.ts';
import type { OpenSession, TableWord } from './session.ts';
import { addressLine, addressLines } from './show-tables.ts';

const SECONDS_MAX = 0xffff_ffff;
/** Not all addresses that were tested are in the table. */
const NO_MATCH = 2;

interface TableSession {
  readonly session: OpenSession;
  readonly name: string;
  readonly where: { readonly anchor: string; readonly table: string };
}

type TableCommand = (table: TableSession) => Promise<number>;

/** Runs a command on the table of -t. Returns the exit status. */
export async function tableCommand(session: OpenSession, word: Exclude<TableWord, 'load'>): Promise<number> {
  const name = session.args.value('t');
  if (name === undefined) throw new UsageError('-T needs the name of a table: -t table');
  try {
    return await COMMANDS[word]({ session, name, where: { anchor: session.anchor, table: name } });
  } catch (error) {
    if (isErrno(error, ERRNO.ESRCH) || isErrno(error, ERRNO.ENOENT))
      throw new CommandError('Table does not exist.');
    throw error;
  }
}

/** Ends what was told as pfctl does. */
async function done({ session }: TableSession, text: string): Promise<void> {
  await tell(session, `${text}${session.dry ? ' (dummy)' : ''}.`);
}

function noOperands({ session }: TableSession): void {
  if (session.args.operands.length > 0 || session.args.has('f')) throw new UsageError('too many arguments');
}

/** Addresses of the command line, and of the file of -f. */
async function addresses({ session }: TableSession): Promise<PfTableAddress[]> {
  const file = session.args.value('f');
  const words = file === undefined ? [] : parseTableFile(await readConf(session.self, file));
  return [...session.args.operands, ...words].flatMap((word) => addressesOf(session, word));
}

async function printFeedback({ session }: TableSession, feedback: PfTableResult['feedback']): Promise<void> {
  if (session.verbose === 0) return;
  const shown = feedback.filter(({ result }) => session.verbose > 1 || result !== 'none');
  await print(
    session,
    shown.map(({ address, result }) => addressLine(address, result)),
  );
}

async function announceTable(table: TableSession, created: boolean): Promise<void> {
  if (created) await done(table, '1 table created');
}

async function add(table: TableSession): Promise<number> {
  const list = await addresses(table);
  const { session, where } = table;
  const result = await session.device.call('DIOCRADDADDRS', {
    ...where,
    addresses: list,
    create: true,
    dryRun: session.dry,
  });
  await announceTable(table, result.created);
  await done(table, `${result.added}/${list.length} addresses added`);
  await printFeedback(table, result.feedback);
  return 0;
}

async function remove(table: TableSession): Promise<number> {
  const list = await addresses(table);
  const { session, where } = table;
  const result = await session.device.call('DIOCRDELADDRS', {
    ...where,
    addresses: list,
    dryRun: session.dry,
  });
  await done(table, `${result.deleted}/${list.length} addresses deleted`);
  await printFeedback(table, result.feedback);
  return 0;
}

async function replace(table: TableSession): Promise<number> {
  const { session, where } = table;
  const result = await session.device.call('DIOCRSETADDRS', {
    ...where,
    addresses: await addresses(table),
    create: true,
    dryRun: session.dry,
  });
  await announceTable(table, result.created);
  const { added, deleted, changed } = result;
  if (added > 0) await done(table, `${added} addresses added`);
  if (deleted > 0) await done(table, `${deleted} addresses deleted`);
  if (changed > 0) await done(table, `${changed} addresses changed`);
  if (added + deleted + changed === 0) await done(table, 'no changes');
  await printFeedback(table, result.feedback);
  return 0;
}

async function kill(table: TableSession): Promise<number> {
  noOperands(table);
  const { session, where } = table;
  const { deleted } = await session.device.call('DIOCRDELTABLES', { ...where, dryRun: session.dry });
  await done(table, `${deleted} table deleted`);
  return 0;
}

async function flush(table: TableSession): Promise<number> {
  noOperands(table);
  const { session, where } = table;
  const { deleted } = await session.device.call('DIOCRCLRADDRS', { ...where, dryRun: session.dry });
  await done(table, `${deleted} addresses deleted`);
  return 0;
}

async function showAddresses(table: TableSession): Promise<number> {
  noOperands(table);
  const { session, where } = table;
  const all = await session.device.tableAddresses(where.anchor, where.table);
  const nameOf = await namesFor(
    session,
    all.map(({ address }) => address),
  );
  const nameFor = (address: string): string | undefined =>
    nameOf(address) === address ? undefined : nameOf(address);
  await print(
    session,
    all.flatMap((entry) =>
      session.verbose > 0
        ? addressLines(entry, clearedText(entry.cleared), nameFor(entry.address))
        : [addressLine(entry, 'none', nameFor(entry.address))],
    ),
  );
  return 0;
}

async function test(table: TableSession): Promise<number> {
  const list = await addresses(table);
  const { session, where } = table;
  const { matched, feedback } = await session.device.call('DIOCRTSTADDRS', { ...where, addresses: list });
  await done(table, `${matched}/${list.length} addresses match`);
  const shown = feedback.filter(({ result }) => session.verbose > 1 || result === 'match');
  if (session.verbose > 0) {
    await print(
      session,
      shown.map(({ address, result }) => addressLine(address, result)),
    );
  }
  return matched < list.length ? NO_MATCH : 0;
}

async function zero(table: TableSession): Promise<number> {
  noOperands(table);
  const { zeroed } = await table.session.device.call('DIOCRCLRTSTATS', table.where);
  await done(table, `${zeroed} table/stats cleared`);
  return 0;
}

async function expire(table: TableSession): Promise<number> {
  const [text, ...more] = table.session.args.operands;
  if (text === undefined || more.length > 0) throw new UsageError('-T expire needs a number of seconds');
  const seconds = numberIn(text, 'the age', 0, SECONDS_MAX);
  const { session, where } = table;
  const { deleted } = await session.device.call('DIOCREXPIRE', { ...where, seconds, dryRun: session.dry });
  await done(table, `${deleted}/${deleted} addresses expired`);
  return 0;
}

const COMMANDS: Readonly<Record<Exclude<TableWord, 'load'>, TableCommand>> = {
  kill,
  flush,
  add,
  delete: remove,
  replace,
  show: showAddresses,
  test,
  zero,
  expire,
};
