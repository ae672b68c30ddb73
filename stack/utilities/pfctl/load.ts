/**
 * `pfctl -f`: a rule set, with the anchors that it loads, into PF in one transaction: all of it, or nothing (pf.conf(5); pf(4), DIOCXBEGIN). Options go last, and
 * are taken back if one is refused.
 */
import { anchorPath } from '../../filter/pf/anchor-path.ts';
import type { PfError } from '../../filter/pf/errors.ts';
import { pfErrorLine } from '../../filter/pf/error-text.ts';
import type { PfControlIn } from '../../filter/pf/ioctl.ts';
import { printRuleSet } from '../../filter/pf/listing.ts';
import { optimizeRuleSet } from '../../filter/pf/optimize.ts';
import type { PfParsed } from '../../filter/pf/parse.ts';
import { PF_PARTS, PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';
import type {
  PfAnchorRules,
  PfLimit,
  PfOptions,
  PfPart,
  PfRuleSet,
  PfTimeout,
} from '../../filter/pf/ruleset.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { CommandError } from '../command.ts';
import { parseConf, readConf } from './conf-files.ts';
import { isErrno } from './device.ts';
import type { PfDevice } from './device.ts';
import { textIfThere } from './machine.ts';
import { print } from './session.ts';
import type { Session } from './session.ts';

const OS_FILE = '/etc/pf.os';
/** Rules and addresses in one call at most. */
const RULES_IN_CALL = 256;
const ADDRESSES_IN_CALL = 1000;

/** Defaults of `set timeout`, s (pf.conf(5), OPTIONS). */
const TIMEOUTS: Readonly<Record<PfTimeout, number>> = {
  'tcp.first': 120,
  'tcp.opening': 30,
  'tcp.established': 86_400,
  'tcp.closing': 900,
  'tcp.finwait': 45,
  'tcp.closed': 90,
  'tcp.tsdiff': 30,
  'udp.first': 60,
  'udp.single': 30,
  'udp.multiple': 60,
  'icmp.first': 20,
  'icmp.error': 10,
  'other.first': 60,
  'other.single': 30,
  'other.multiple': 60,
  frag: 30,
  interval: 10,
  'adaptive.start': 0,
  'adaptive.end': 0,
  'src.track': 0,
};
const LIMITS: Readonly<Partial<Record<PfLimit, number>>> = {
  states: 10_000,
  'src-nodes': 10_000,
  frags: 5000,
};

/** Rules of an anchor, at its place in PF. */
interface Placed {
  readonly path: string;
  readonly rules: PfAnchorRules;
}

/** Reads the file, shows it with -v, and loads it unless -n. Returns the exit status. */
export async function loadFile(session: Session, file: string): Promise<number> {
  const parsed = await readChecked(session, file);
  if (!parsed) return 1;
  const ruleSet = optimized(session, parsed.ruleSet);
  if (session.verbose > 0) {
    await print(
      session,
      printRuleSet(ruleSet, parsed.listing, session.machine, { numbers: session.verbose > 1 }),
    );
  }
  const placed = await withLoads(session, ruleSet);
  if (!placed) return 1;
  if (!session.dry && session.device) await install(session, session.device, ruleSet, placed);
  return 0;
}

/** The file, or undefined once its errors are told. */
async function readChecked(session: Session, file: string): Promise<PfParsed | undefined> {
  const text = await readConf(session.self, file);
  const parsed = await parseConf(session, text);
  const name = file === '-' ? 'stdin' : file;
  if ('errors' in parsed) {
    await tellErrors(session, parsed.errors, name);
    if (!session.dry)
      await session.self.stderr.write('pfctl: Syntax error in config file: pf rules not loaded\n');
    return undefined;
  }
  if (!session.quiet) {
    for (const { line, message } of parsed.warnings) {
      await session.self.stderr.write(`${name}:${line}: warning: ${message}\n`);
    }
  }
  return parsed;
}

async function tellErrors(session: Session, errors: readonly PfError[], name: string): Promise<void> {
  await session.self.stderr.write(errors.map((error) => `${pfErrorLine(error, name)}\n`).join(''));
}

/** In 4.2 rules are optimised unless -o or the file says otherwise; in 3.7 only with -o. */
function optimized(session: Session, ruleSet: PfRuleSet): PfRuleSet {
  const asked = session.args.value('o');
  if (session.generation === '3.7') return asked === undefined ? ruleSet : optimizeRuleSet(ruleSet);
  const level = asked ?? ruleSet.options.rulesetOptimization ?? 'basic';
  return 'none'.startsWith(level) ? ruleSet : optimizeRuleSet(ruleSet);
}

/** The anchors of a rule set below that of -a, and those of the files that `load anchor` names; undefined once errors are told. */
async function withLoads(session: Session, ruleSet: PfRuleSet): Promise<Placed[] | undefined> {
  const placed = Object.entries(ruleSet.anchors).map(([path, rules]) => ({
    path: path === '' ? session.anchor : anchorPath(session.anchor, path),
    rules,
  }));
  if (session.anchor !== '') return placed;
  for (const { anchor, file } of ruleSet.loads) {
    if (session.verbose > 0) await session.self.stderr.write(`\nLoading anchor ${anchor} from ${file}\n`);
    const text = await textIfThere(session.self, file);
    if (text === undefined) {
      await session.self.stderr.write(`pfctl: ${file}: No such file or directory\n`);
      if (session.generation === '4.2') continue;
      return undefined;
    }
    const loaded = await readChecked({ ...session, anchor }, file);
    if (!loaded) return undefined;
    const inner = optimized(session, loaded.ruleSet);
    if (session.verbose > 0) await print(session, printRuleSet(inner, loaded.listing, session.machine));
    for (const [path, rules] of Object.entries(inner.anchors)) {
      placed.push({ path: path === '' ? anchor : anchorPath(anchor, path), rules });
    }
  }
  return placed;
}

/** Which lists of an anchor the flags -N, -R, -A and -O leave to be loaded. */
function partsOf({ parts }: Session): PfPart[] {
  return PF_PARTS.filter((part) => (part === 'scrub' || part === 'filter' ? parts.filter : parts.nat));
}

async function install(
  session: Session,
  device: PfDevice,
  ruleSet: PfRuleSet,
  placed: readonly Placed[],
): Promise<void> {
  const parts = partsOf(session);
  const isMain = session.anchor === '';
  const altq = isMain && session.parts.altq;
  const lists: PfControlIn<'DIOCXBEGIN'>['lists'] = [
    ...placed.flatMap(({ path }) => parts.map((part) => ({ anchor: path, part }))),
    ...(session.parts.tables ? placed.map(({ path }) => ({ anchor: path, part: 'tables' as const })) : []),
    ...(altq ? [{ anchor: '', part: 'altq' as const }] : []),
  ];
  const { ticket } = await device.call('DIOCXBEGIN', { lists });
  const undo: (() => Promise<unknown>)[] = [];
  try {
    for (const { path, rules } of placed) {
      if (session.parts.tables) await addTables(device, ticket, path, rules);
      for (const part of parts) await addRules(session, device, ticket, path, part, rules);
    }
    if (altq) await device.call('DIOCADDALTQ', { ticket, altqs: ruleSet.altqs, queues: ruleSet.queues });
    if (isMain && session.parts.options) await setOptions(session, device, ruleSet, undo);
    await device.call('DIOCXCOMMIT', { ticket });
  } catch (error) {
    for (const step of undo.reverse()) await step();
    await device.call('DIOCXROLLBACK', { ticket });
    if (!(error instanceof SystemError)) throw error;
    throw new CommandError(`${error.message}: pf rules not loaded`);
  }
}

async function addTables(
  device: PfDevice,
  ticket: number,
  anchor: string,
  rules: PfAnchorRules,
): Promise<void> {
  for (const table of rules.tables) {
    const { addresses, written: _written, ...rest } = table;
    const first = addresses?.slice(0, ADDRESSES_IN_CALL);
    await device.call('DIOCADDTABLES', {
      ticket,
      anchor,
      tables: [{ ...rest, ...(first && { addresses: first }) }],
    });
    for (let at = ADDRESSES_IN_CALL; at < (addresses?.length ?? 0); at += ADDRESSES_IN_CALL) {
      const chunk = addresses?.slice(at, at + ADDRESSES_IN_CALL) ?? [];
      await device.call('DIOCADDTABLEADDRS', { ticket, anchor, table: table.name, addresses: chunk });
    }
  }
}

async function addRules(
  session: Session,
  device: PfDevice,
  ticket: number,
  anchor: string,
  part: PfPart,
  rules: PfAnchorRules,
): Promise<void> {
  for (let at = 0; at < rules[part].length; at += RULES_IN_CALL) {
    const chunk = rules[part].slice(at, at + RULES_IN_CALL);
    await device.call('DIOCADDRULES', { ticket, anchor, part, rules: chunk, uid: 0, pid: session.self.pid });
  }
}

/** What the file says, and the defaults for what it does not say; with -m only what it says. */
async function setOptions(
  session: Session,
  device: PfDevice,
  { options, generation }: PfRuleSet,
  undo: (() => Promise<unknown>)[],
): Promise<void> {
  const merge = session.args.has('m');
  await device.call('DIOCSETGENERATION', { generation });
  const timeouts = { ...(merge ? {} : TIMEOUTS), ...adaptive(options, generation), ...options.timeouts };
  for (const name of PF_TIMEOUTS) {
    const value = timeouts[name];
    if (value === undefined) continue;
    const { old } = await device.call('DIOCSETTIMEOUT', { name, value });
    undo.push(() => device.call('DIOCSETTIMEOUT', { name, value: old }));
  }
  for (const [name, value] of Object.entries({ ...(merge ? {} : LIMITS), ...options.limits })) {
    const limit = name as PfLimit;
    const { old } = await setLimit(device, limit, value);
    undo.push(() => device.call('DIOCSETLIMIT', { name: limit, value: old }));
  }
  if (!merge || options.skip) await device.call('DIOCSETSKIP', { interfaces: options.skip ?? [] });
  if (!merge || options.debug) await device.call('DIOCSETDEBUG', { level: options.debug ?? 'urgent' });
  if (!merge || options.loginterface !== undefined)
    await device.call('DIOCSETSTATUSIF', statusInterface(options));
  if (options.hostid !== undefined) await device.call('DIOCSETHOSTID', { hostid: options.hostid });
  await loadFingerprints(session, device, options.fingerprints);
}

/** PF refuses a limit that is lower than what is in use. */
async function setLimit(device: PfDevice, name: PfLimit, value: number): Promise<{ old: number }> {
  try {
    return await device.call('DIOCSETLIMIT', { name, value });
  } catch (error) {
    if (!isErrno(error, ERRNO.EBUSY)) throw error;
    throw new SystemError(ERRNO.EBUSY, `limit of ${name}: more than ${value} are in use`);
  }
}

/** In 4.2 a limit of states brings adaptive time-outs: from 60 % of it, to nothing at 120 %. */
function adaptive(
  { limits }: PfOptions,
  generation: PfRuleSet['generation'],
): Partial<Record<PfTimeout, number>> {
  const tenth = Math.floor((limits?.states ?? 0) / 10);
  if (generation === '3.7' || tenth === 0) return {};
  return { 'adaptive.start': tenth * 6, 'adaptive.end': tenth * 12 };
}

function statusInterface({ loginterface }: PfOptions): { interface?: string } {
  return loginterface === undefined || loginterface === 'none' ? {} : { interface: loginterface };
}

/** Fingerprints of the file that is set, or of the usual one if it is there. */
async function loadFingerprints(session: Session, device: PfDevice, file: string | undefined): Promise<void> {
  const text = await textIfThere(session.self, file ?? OS_FILE);
  if (text === undefined) return;
  await device.call('DIOCOSFPFLUSH', {});
  await device.call('DIOCOSFPADD', { lines: text.split('\n') });
}
