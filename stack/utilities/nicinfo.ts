/**
 * nicinfo: configuration and counters of network cards as their drivers keep them (SIOCGDRVCOM), in the shape of QNX's nicinfo.
 */
import type { Process } from '../kernel/process.ts';
import type { ControlOut } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { stackControl } from '../socket/libsocket.ts';
import { CommandError, command } from './command.ts';
import type { Arguments } from './command.ts';

type NicInfo = ControlOut<'SIOCGDRVCOM'>;

/** What the counters' names in drivers mean. */
const LABELS: Readonly<Record<string, string>> = {
  txed_ok: 'Packets Transmitted OK',
  octets_txed_ok: 'Bytes Transmitted OK',
  txed_broadcast: 'Broadcast Packets Transmitted OK',
  txed_multicast: 'Multicast Packets Transmitted OK',
  tx_failed_allocs: 'Memory Allocation Failures on Transmit',
  rxed_ok: 'Packets Received OK',
  octets_rxed_ok: 'Bytes Received OK',
  rxed_broadcast: 'Broadcast Packets Received OK',
  rxed_multicast: 'Multicast Packets Received OK',
  rx_failed_allocs: 'Memory Allocation Failures on Receive',
  align_errors: 'Packets Received with alignment errors',
  fcs_errors: 'FCS errors',
  single_collisions: 'Single Collisions on Transmit',
  multi_collisions: 'Multiple Collisions on Transmit',
  total_collision_frames: 'Total Collisions on Transmit',
  tx_deferred: 'Deferred Transmits',
  excessive_deferrals: 'Transmits aborted (excessive deferrals)',
  late_collisions: 'Late Collision on Transmit errors',
  xcoll_aborted: 'Transmits aborted (excessive collisions)',
  internal_tx_errors: 'Internal Transmit errors',
  internal_rx_errors: 'Internal Receive errors',
  no_carrier: 'Carrier Sense errors on Transmit',
  jabber_detected: 'Jabber detected',
  short_packets: 'Short packets',
  oversized_packets: 'Oversized Packets received',
  dribble_bits: 'Dribble bits',
  length_field_mismatch: 'Length field mismatches',
};

const LEADER_WIDTH = 44;

function line(label: string, value: string | number): string {
  return `  ${`${label} `.padEnd(LEADER_WIDTH, '.')} ${value}\n`;
}

/** The whole text about one card. */
export function nicText(name: string, { driver, description, config, stats }: NicInfo): string {
  const configLines = Object.entries(config).map(([label, value]) => line(label, value));
  const statLines = Object.entries(stats).map(([label, value]) => line(LABELS[label] ?? label, value));
  const blocks = [configLines, statLines].filter((lines) => lines.length > 0).map((lines) => lines.join(''));
  return [`${name}: \n  ${description} (${driver})\n`, ...blocks].join('\n');
}

/** Interfaces without a driver of their own, such as lo0, answer with one of these. */
const NOT_A_CARD: readonly number[] = [ERRNO.ENOTTY, ERRNO.EOPNOTSUPP, ERRNO.ENODEV, ERRNO.EINVAL];

async function cards(self: Process, names: readonly string[], reset: boolean): Promise<[string, NicInfo][]> {
  const found: [string, NicInfo][] = [];
  for (const name of names) {
    try {
      found.push([name, await stackControl(self, 'SIOCGDRVCOM', reset ? { name, reset } : { name })]);
    } catch (error) {
      if (!(error instanceof SystemError) || !NOT_A_CARD.includes(error.errno)) throw error;
    }
  }
  return found;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const all = args.operands.length === 0;
  const names = all ? (await stackControl(self, 'SIOCGIFCONF', {})).map(({ name }) => name) : args.operands;
  const found = await cards(self, names, args.has('r'));
  await self.stdout.write(found.map(([name, info]) => nicText(name, info)).join('\n'));
  if (found.length < names.length && !all)
    throw new CommandError(`${names.join(' ')}: no driver keeps counters here`);
  return 0;
}

export const nicinfo = command({
  name: 'nicinfo',
  usage: '[-r] [interface ...]',
  summary: 'show configuration and counters of network cards',
  options: 'r',
  usageStatus: 1,
  run,
  complete: async (_words, _index, self) =>
    (await stackControl(self, 'SIOCGIFCONF', {})).map(({ name }) => name),
});
