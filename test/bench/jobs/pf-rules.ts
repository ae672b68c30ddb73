/**
 * PF on the node in the middle: so many rules that do not match before one that does, a table, states; loaded as pfctl loads them.
 */
import { DEFAULT_NAMES, namesOf } from '../../../stack/filter/pf/name-tables.ts';
import type { PfEnvironment } from '../../../stack/filter/pf/environment.ts';
import { loadRuleSet } from '../../../stack/filter/pf/load.ts';
import type { PfCall } from '../../../stack/filter/pf/load.ts';
import { parsePfConf } from '../../../stack/filter/pf/parse.ts';
import { control } from '../../../stack/kernel/stack-client.ts';
import { inetNtoa } from '../../../stack/socket/inet.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';

export interface PfOptions {
  /** False: loaded, and not filtering. */
  readonly enabled: boolean;
  /** Rules that no packet meets, because of the last criterion that is looked at. */
  readonly rules: number;
  /** In what these rules differ: in addresses they are found by search, ranges of ports have to be walked along. Default addresses. */
  readonly differIn?: 'addresses' | 'ranges';
  readonly keepState?: boolean;
  /** Entries of a table that is asked about every packet. */
  readonly table?: number;
}

const FILE = 'lsm-pf-v4';
const FIRST_ADDRESS = 0x0b000001;

export const PF_ENVIRONMENT: PfEnvironment = {
  interfaces: [
    { name: 'en0', addresses: [] },
    { name: 'en1', addresses: [] },
  ],
  ...namesOf(DEFAULT_NAMES),
  hostAddresses: () => [],
};

/** Makes the calls of /dev/pf of a node. */
export function pfCallOf(lab: RunningLab, node: string): PfCall {
  const { address } = lab.nodes.get(node)!.stacks.get('')!;
  return async (command, data) =>
    (await control(address, 'MODULE_CONTROL', { file: FILE, command, data })).reply as never;
}

/** The rules as pf.conf. */
function confOf({ rules, differIn, keepState, table }: PfOptions): string {
  const criterion = (i: number): string =>
    differIn === 'ranges' ? `any port ${20_000 + i}:40000` : inetNtoa(FIRST_ADDRESS + i);
  const lines = Array.from(
    { length: rules },
    (_, i) => `block in on en0 inet proto udp from any to ${criterion(i)}`,
  );
  if (table !== undefined) {
    const entries = Array.from({ length: table }, (_, i) => inetNtoa(FIRST_ADDRESS + i * 7));
    lines.unshift(`table <many> { ${entries.join(' ')} }`);
    lines.push('block in on en0 from <many>');
  }
  const state = keepState === true ? ' keep state' : '';
  lines.push(`pass in on en0${state}`, `pass out on en1${state}`);
  return `${lines.join('\n')}\n`;
}

/** Loads rules into the node, and switches PF on if it is to filter. */
export async function preparePf(lab: RunningLab, node: string, options: PfOptions): Promise<void> {
  const parsed = parsePfConf(confOf(options), PF_ENVIRONMENT, { generation: '3.7' });
  if ('errors' in parsed) throw new Error(parsed.errors[0]!.message);
  const call = pfCallOf(lab, node);
  await loadRuleSet(parsed.ruleSet, call);
  if (options.enabled) await call('DIOCSTART', {});
}
