/** `pfctl -s`: what PF has and does. */
import type { PfFingerprint } from '../../filter/pf/ioctl.ts';
import { ERRNO } from '../../runtime/messages/errno.ts';
import { inetAton } from '../../socket/inet.ts';
import { hostByAddress } from '../../socket/netdb.ts';
import { CommandError } from '../command.ts';
import { ctimeText } from '../wall-time.ts';
import { isErrno } from './device.ts';
import { print } from './session.ts';
import type { OpenSession, ShowWord } from './session.ts';
import { anchorLines, labelLines, natLines, queueLines, ruleLines } from './show-rules.ts';
import { sourceLines, stateLines } from './show-states.ts';
import type { NameOf } from './show-states.ts';
import { interfaceList, limitsLines, statusLines, timeoutLines } from './show-status.ts';
import { tableLine, tableLines } from './show-tables.ts';

const NANOSECONDS = 1e9;

type Lister = (session: OpenSession) => Promise<string[]>;
type Shown = Exclude<ShowWord, 'all'>;

/** When counters were cleared: `seconds` of the lab's clock. */
export function clearedText(seconds: number): string {
  return ctimeText(seconds * NANOSECONDS);
}

/** With -r the names of these addresses as far as the node knows them. */
export async function namesFor(session: OpenSession, addresses: readonly string[]): Promise<NameOf> {
  const names = new Map<string, string>();
  if (session.args.has('r')) {
    for (const address of new Set(addresses)) {
      const number = inetAton(address);
      const name = number === undefined ? undefined : await hostByAddress(session.self, number);
      if (name !== undefined) names.set(address, name);
    }
  }
  return (address) => names.get(address) ?? address;
}

async function states(session: OpenSession): Promise<string[]> {
  const wanted = session.args.value('i');
  const all = (await session.device.states()).filter(
    (state) => wanted === undefined || state.interface === wanted,
  );
  const ends = all.flatMap(({ lan, gateway, external }) => [lan.address, gateway.address, external.address]);
  const nameOf = await namesFor(session, ends);
  return all.flatMap((state) => stateLines(session, state, nameOf));
}

async function sources(session: OpenSession): Promise<string[]> {
  const all = await session.device.call('DIOCGETSRCNODES', {});
  const nameOf = await namesFor(
    session,
    all.map(({ address }) => address),
  );
  return all.flatMap((source) => sourceLines(session, source, nameOf));
}

async function tables(session: OpenSession): Promise<string[]> {
  const all = await session.device.call('DIOCRGETTSTATS', { anchor: session.anchor });
  const shown = all.filter(({ active }) => active || session.args.has('g'));
  return shown.flatMap((table) =>
    session.verbose > 1
      ? tableLines(table, clearedText(table.cleared))
      : [tableLine(table, session.verbose > 0)],
  );
}

function fingerprintLine({ class: kind, version, subtype }: PfFingerprint): string {
  return [kind, version, subtype].join('\t').trimEnd();
}

async function fingerprints(session: OpenSession): Promise<string[]> {
  const all = await session.device.call('DIOCOSFPGET', {});
  const lines = [...new Set(all.map(fingerprintLine))].sort();
  return ['Class\tVersion\tSubtype(subversion)', '-----\t-------\t-------------------', ...lines];
}

const LISTERS: Readonly<Record<Shown, Lister>> = {
  nat: natLines,
  queue: async (session) => queueLines(session, await session.device.call('DIOCGETALTQS', {})),
  rules: ruleLines,
  Anchors: (session) => anchorLines(session),
  Sources: sources,
  states,
  info: async (session) => statusLines(session, await session.device.call('DIOCGETSTATUS', {})),
  Interfaces: async (session) =>
    interfaceList(session, await session.device.call('DIOCGETINTERFACES', {}), clearedText),
  labels: labelLines,
  timeouts: async (session) => timeoutLines(await session.device.call('DIOCGETTIMEOUTS', {})),
  memory: async (session) => limitsLines(await session.device.call('DIOCGETLIMITS', {}), session.generation),
  Tables: tables,
  osfp: fingerprints,
};

/** What `-s all` shows, under which title. */
const ALL: readonly (readonly [title: string, word: Shown])[] = [
  ['TRANSLATION RULES:', 'nat'],
  ['FILTER RULES:', 'rules'],
  ['', 'queue'],
  ['STATES:', 'states'],
  ['SOURCE TRACKING NODES:', 'Sources'],
  ['INFO:', 'info'],
  ['LABEL COUNTERS:', 'labels'],
  ['TIMEOUTS:', 'timeouts'],
  ['LIMITS:', 'memory'],
  ['TABLES:', 'Tables'],
  ['OS FINGERPRINTS:', 'osfp'],
];

async function fingerprintCount(session: OpenSession): Promise<string[]> {
  return [`${(await session.device.call('DIOCOSFPGET', {})).length} fingerprints loaded`];
}

/** Everything, each part that has something to say under its title. */
async function showAll(session: OpenSession): Promise<string[]> {
  const lines: string[] = [];
  for (const [title, word] of ALL) {
    const part = word === 'osfp' ? await fingerprintCount(session) : await LISTERS[word](session);
    if (part.length === 0) continue;
    if (title !== '') lines.push(...(lines.length > 0 ? [''] : []), title);
    lines.push(...part);
  }
  return lines;
}

export async function show(session: OpenSession, word: ShowWord): Promise<void> {
  try {
    await print(session, word === 'all' ? await showAll(session) : await LISTERS[word](session));
  } catch (error) {
    if (isErrno(error, ERRNO.ENOENT)) throw new CommandError(`Anchor '${session.anchor}' not found.`);
    throw error;
  }
}
