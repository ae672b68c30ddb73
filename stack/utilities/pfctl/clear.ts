/** `pfctl -F`, `-k`, `-K`: rules, states, tables and counters taken away. */
import { HostResolver } from '../../filter/pf/host.ts';
import { StatementError } from '../../filter/pf/errors.ts';
import { tableAddress } from '../../filter/pf/parse.ts';
import type { PfPart, PfTableAddress } from '../../filter/pf/ruleset.ts';
import { CommandError } from '../command.ts';
import { tell } from './session.ts';
import type { FlushWord, OpenSession } from './session.ts';

type Flush = (session: OpenSession) => Promise<void>;

async function clearLists(
  session: OpenSession,
  parts: readonly (PfPart | 'altq')[],
  what: string,
): Promise<void> {
  const { device } = session;
  const { ticket } = await device.call('DIOCXBEGIN', {
    lists: parts.map((part) => ({ anchor: part === 'altq' ? '' : session.anchor, part })),
  });
  await device.call('DIOCXCOMMIT', { ticket });
  await tell(session, `${what} cleared`);
}

const FLUSHES: Readonly<Record<Exclude<FlushWord, 'all'>, Flush>> = {
  rules: (session) => clearLists(session, ['scrub', 'filter'], 'rules'),
  nat: (session) => clearLists(session, ['nat', 'binat', 'rdr'], 'nat'),
  queue: (session) => clearLists(session, ['altq'], 'altq'),
  async Tables(session) {
    const { deleted } = await session.device.call('DIOCRDELTABLES', { anchor: session.anchor });
    await tell(session, `${deleted} tables deleted.`);
  },
  async states(session) {
    const name = session.args.value('i');
    const { killed } = await session.device.call('DIOCCLRSTATES', {
      ...(name !== undefined && { interface: name }),
    });
    await tell(session, `${killed} states cleared`);
  },
  async Sources(session) {
    await session.device.call('DIOCCLRSRCNODES', {});
    await tell(session, 'source tracking entries cleared');
  },
  async info(session) {
    await session.device.call('DIOCCLRSTATUS', {});
    await tell(session, 'pf: statistics cleared');
  },
  async osfp(session) {
    await session.device.call('DIOCOSFPFLUSH', {});
    await tell(session, 'pf: fingerprints cleared');
  },
};
/** What belongs to an anchor as well as to the main rule set. */
const OF_ANCHORS: readonly Exclude<FlushWord, 'all'>[] = ['rules', 'nat', 'Tables'];
const OF_MAIN: readonly Exclude<FlushWord, 'all'>[] = ['queue', 'states', 'Sources', 'info', 'osfp'];

export async function flush(session: OpenSession, word: FlushWord): Promise<void> {
  if (word !== 'all') return FLUSHES[word](session);
  for (const each of OF_ANCHORS) await FLUSHES[each](session);
  if (session.anchor !== '') return;
  for (const each of OF_MAIN) await FLUSHES[each](session);
  await session.device.call('DIOCSETSKIP', { interfaces: [] });
  await tell(session, 'pf: interface flags reset');
}

/** Addresses and networks that a word of the command line stands for. Throws CommandError. */
export function addressesOf(session: OpenSession, text: string): PfTableAddress[] {
  const place = { line: 1, column: 1 };
  try {
    const hosts = new HostResolver(session.machine, session.generation).resolveText(text, place);
    return hosts.map((host) => tableAddress(host, place));
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new CommandError(error.message);
  }
}

/** `-k source [-k destination]`: ends states. */
export async function killStates(session: OpenSession, words: readonly string[]): Promise<void> {
  const name = session.args.value('i');
  await kill(session, words, 'states', (source, destination) =>
    session.device.call('DIOCKILLSTATES', {
      ...(name !== undefined && { interface: name }),
      source,
      ...destination,
    }),
  );
}

/** `-K source [-K destination]`: forgets sources. */
export async function killSources(session: OpenSession, words: readonly string[]): Promise<void> {
  await kill(session, words, 'src nodes', (source, destination) =>
    session.device.call('DIOCKILLSRCNODES', { source, ...destination }),
  );
}

async function kill(
  session: OpenSession,
  [from = '', to]: readonly string[],
  what: string,
  call: (
    source: PfTableAddress,
    destination: { destination?: PfTableAddress },
  ) => Promise<{ killed: number }>,
): Promise<void> {
  const sources = addressesOf(session, from);
  const destinations = to === undefined ? [] : addressesOf(session, to);
  let killed = 0;
  let met = 0;
  for (const source of sources) {
    const fitting = destinations.filter(({ af }) => af === source.af);
    met += fitting.length;
    const pairs = to === undefined ? [{}] : fitting.map((destination) => ({ destination }));
    for (const pair of pairs) killed += (await call(source, pair)).killed;
  }
  await tell(session, `killed ${killed} ${what} from ${sources.length} sources and ${met} destinations`);
}
