/**
 * Loading a rule set through /dev/pf: all of it in one transaction, then the options. Whoever has a way to make the calls uses this: pfctl on a node, what-if, the window.
 */
import type { PfControl, PfControlIn, PfControlOut } from './ioctl.ts';
import { PF_PARTS } from './ruleset.ts';
import type { PfAnchorRules, PfLimit, PfOptions, PfPart, PfRuleSet, PfTable, PfTimeout } from './ruleset.ts';

/** Makes a call of /dev/pf. Rejects with what the device says. */
export type PfCall = <N extends PfControl>(command: N, data: PfControlIn<N>) => Promise<PfControlOut<N>>;

export type PfList = PfPart | 'altq' | 'tables';
export const PF_LISTS: readonly PfList[] = [...PF_PARTS, 'altq', 'tables'];

export interface PfLoadOptions {
  /** Anchor that the rule set is for; default: the main rule set. Options and queues belong to that only. */
  readonly anchor?: string;
  /** What is loaded of it; default: everything. */
  readonly lists?: readonly PfList[];
  /** False: what `set` says is left out. */
  readonly setOptions?: boolean;
  /** Who loads it. */
  readonly uid?: number;
  readonly pid?: number;
}

/** Rules, and addresses, that go in one call. */
const RULES_IN_CALL = 256;
const ADDRESSES_IN_CALL = 1000;

function chunks<T>(list: readonly T[], size: number): T[][] {
  const found: T[][] = [];
  for (let at = 0; at < list.length; at += size) found.push(list.slice(at, at + size));
  return found;
}

async function loadTables(
  call: PfCall,
  ticket: number,
  anchor: string,
  tables: readonly PfTable[],
): Promise<void> {
  for (const { addresses, ...table } of tables) {
    const [first, ...rest] = addresses === undefined ? [] : chunks(addresses, ADDRESSES_IN_CALL);
    const head = addresses === undefined ? table : { ...table, addresses: first ?? [] };
    await call('DIOCADDTABLES', { ticket, anchor, tables: [head] });
    for (const more of rest)
      await call('DIOCADDTABLEADDRS', { ticket, anchor, table: table.name, addresses: more });
  }
}

async function loadAnchor(
  call: PfCall,
  ticket: number,
  anchor: string,
  rules: PfAnchorRules,
  lists: readonly PfList[],
  owner: { readonly uid?: number; readonly pid?: number },
): Promise<void> {
  if (lists.includes('tables')) await loadTables(call, ticket, anchor, rules.tables);
  for (const part of PF_PARTS) {
    if (!lists.includes(part)) continue;
    for (const some of chunks(rules[part], RULES_IN_CALL))
      await call('DIOCADDRULES', { ticket, anchor, part, rules: some, ...owner });
  }
}

/** The path of an anchor below another one. */
export function anchorBelow(anchor: string, path: string): string {
  return [anchor, path].filter((part) => part !== '').join('/');
}

/** Loads a rule set: everything of it, or, when a call fails, nothing. Rejects with what the device says. */
export async function loadRuleSet(
  ruleSet: PfRuleSet,
  call: PfCall,
  options: PfLoadOptions = {},
): Promise<void> {
  const { anchor: below = '', uid, pid } = options;
  const lists = (options.lists ?? PF_LISTS).filter((list) => list !== 'altq' || below === '');
  const owner = { ...(uid === undefined ? {} : { uid }), ...(pid === undefined ? {} : { pid }) };
  const anchors = Object.entries(ruleSet.anchors).map(([path, rules]) => ({
    path: anchorBelow(below, path),
    rules,
  }));
  const wanted = anchors.flatMap(({ path }) =>
    lists.filter((part) => part !== 'altq').map((part) => ({ anchor: path, part })),
  );
  const queues = lists.includes('altq') ? [{ anchor: '', part: 'altq' as const }] : [];
  const { ticket } = await call('DIOCXBEGIN', { lists: [...wanted, ...queues] });
  try {
    for (const { path, rules } of anchors) await loadAnchor(call, ticket, path, rules, lists, owner);
    if (lists.includes('altq'))
      await call('DIOCADDALTQ', { ticket, altqs: ruleSet.altqs, queues: ruleSet.queues });
    await call('DIOCXCOMMIT', { ticket });
  } catch (error) {
    await call('DIOCXROLLBACK', { ticket });
    throw error;
  }
  if (below !== '') return;
  await call('DIOCSETGENERATION', { generation: ruleSet.generation });
  if (options.setOptions !== false) await setOptions(ruleSet.options, call);
}

/** Sets what the options of a rule set say. */
export async function setOptions(options: PfOptions, call: PfCall): Promise<void> {
  for (const [name, value] of Object.entries(options.timeouts ?? {}))
    await call('DIOCSETTIMEOUT', { name: name as PfTimeout, value });
  for (const [name, value] of Object.entries(options.limits ?? {}))
    await call('DIOCSETLIMIT', { name: name as PfLimit, value });
  const { loginterface, debug, hostid, skip } = options;
  if (loginterface !== undefined)
    await call('DIOCSETSTATUSIF', loginterface === 'none' ? {} : { interface: loginterface });
  if (debug !== undefined) await call('DIOCSETDEBUG', { level: debug });
  if (hostid !== undefined) await call('DIOCSETHOSTID', { hostid });
  await call('DIOCSETSKIP', { interfaces: skip ?? [] });
}
