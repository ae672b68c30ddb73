/**
 * The rule set that a PF has, read back as data: rules and tables of all anchors, queues and options. Putting it back is what undo does, whoever had loaded it.
 */
import { loadRuleSet } from '../../../../stack/filter/pf/load.ts';
import { PF_PARTS } from '../../../../stack/filter/pf/ruleset.ts';
import type {
  PfAnchorRules,
  PfOptions,
  PfRule,
  PfRuleSet,
  PfTable,
} from '../../../../stack/filter/pf/ruleset.ts';
import type { PfDevice } from './pf-device.ts';

async function rulesOf(device: PfDevice, anchor: string): Promise<PfAnchorRules> {
  const lists: Record<(typeof PF_PARTS)[number], PfRule[]> = {
    scrub: [],
    nat: [],
    binat: [],
    rdr: [],
    filter: [],
  };
  for (const part of PF_PARTS) {
    const { rules } = await device.rules(anchor, part, Infinity);
    lists[part] = rules.map(({ rule }) => rule);
  }
  return { ...lists, tables: await tablesOf(device, anchor) };
}

async function tablesOf(device: PfDevice, anchor: string): Promise<PfTable[]> {
  const tables: PfTable[] = [];
  for (const table of await device.tables(anchor)) {
    if (table.anchor !== anchor) continue;
    tables.push({
      line: 0,
      name: table.name,
      ...(table.persist && { persist: true }),
      ...(table.const && { const: true }),
      addresses: await device.tableAddresses(anchor, table.name),
    });
  }
  return tables;
}

async function optionsOf({ call }: PfDevice): Promise<PfOptions> {
  const { debug, hostid, logInterface } = await call('DIOCGETSTATUS', {});
  const interfaces = await call('DIOCGETINTERFACES', {});
  return {
    timeouts: await call('DIOCGETTIMEOUTS', {}),
    limits: await call('DIOCGETLIMITS', {}),
    debug,
    hostid,
    loginterface: logInterface?.name ?? 'none',
    skip: interfaces.filter(({ skip }) => skip).map(({ name }) => name),
  };
}

/** All that a PF has been loaded with. */
export async function readLoaded(device: PfDevice): Promise<PfRuleSet> {
  const anchors: Record<string, PfAnchorRules> = {};
  for (const path of await device.anchors()) anchors[path] = await rulesOf(device, path);
  const { altqs, queues } = await device.call('DIOCGETALTQS', {});
  const { generation } = await device.call('DIOCGETGENERATION', {});
  const options = await optionsOf(device);
  return { generation, options, altqs, queues: queues.map(({ queue }) => queue), anchors, loads: [] };
}

const NO_RULES: PfAnchorRules = { tables: [], scrub: [], nat: [], binat: [], rdr: [], filter: [] };

/** Rules, tables and queues are gone; options stay as they are. */
export async function unloadAll(device: PfDevice): Promise<void> {
  const anchors = Object.fromEntries((await device.anchors()).map((path) => [path, NO_RULES]));
  const { generation } = await device.call('DIOCGETGENERATION', {});
  const empty: PfRuleSet = { generation, options: {}, altqs: [], queues: [], anchors, loads: [] };
  await loadRuleSet(empty, device.call, { setOptions: false });
}

/** Puts a rule set in the place of all that is loaded, in all anchors. */
export async function putBack(device: PfDevice, ruleSet: PfRuleSet): Promise<void> {
  const present = Object.fromEntries((await device.anchors()).map((path) => [path, NO_RULES]));
  await loadRuleSet({ ...ruleSet, anchors: { ...present, ...ruleSet.anchors } }, device.call);
}

/** Rules in all lists of all anchors. */
export function ruleCount({ anchors }: Pick<PfRuleSet, 'anchors'>): number {
  return Object.values(anchors).reduce(
    (sum, lists) => sum + PF_PARTS.reduce((more, part) => more + lists[part].length, 0),
    0,
  );
}
