/**
 * What brconfig prints, in the shape of NetBSD 4.
 */
import type {
  BridgeAddressInfo,
  BridgeInfo,
  BridgeMemberInfo,
  SpanningTreeInfo,
} from '../runtime/messages/control.ts';
import { IFF } from '../runtime/messages/control.ts';

/** `flags=3<LEARNING,DISCOVER>`; bits of the names in order. */
function flagsText(names: readonly (readonly [string, boolean])[]): string {
  const bits = names.reduce((sum, [, on], i) => sum | (on ? 1 << i : 0), 0);
  const set = names.filter(([, on]) => on).map(([name]) => name);
  return `flags=${bits.toString(16)}<${set.join(',')}>`;
}

function interfaceFlags(flags: number): string {
  const names = Object.entries(IFF).flatMap(([name, bit]) => ((flags & bit) !== 0 ? [name] : []));
  return `flags=${flags.toString(16)}<${names.join(',')}>`;
}

function memberLines(member: BridgeMemberInfo, verbose: boolean): string[] {
  const { name, learning, discover, stp, port, priority, pathCost, state, role } = member;
  const flags = flagsText([
    ['LEARNING', learning],
    ['DISCOVER', discover],
    ['STP', stp],
  ]);
  const tree = stp ? ` path cost ${pathCost} ${state}` : '';
  return [
    `\t\t${name} ${flags}`,
    `\t\t\tport ${port} priority ${priority}${tree}${verbose && role !== undefined ? ` ${role}` : ''}`,
  ];
}

function treeLines(tree: SpanningTreeInfo): string[] {
  const { id, root, rootCost, rootPort, helloTime, forwardDelay, maxAge } = tree;
  const way = rootPort === undefined ? 'this bridge' : `cost ${rootCost} by ${rootPort}`;
  return [
    `\t\tid ${id} root ${root} (${way})`,
    `\t\tin use: hellotime ${helloTime} fwddelay ${forwardDelay} maxage ${maxAge}`,
    `\t\ttopology changes ${tree.topologyChanges}${tree.topologyChange ? ', changing' : ''}`,
  ];
}

/** One line per address. */
export function addressLines(addresses: readonly BridgeAddressInfo[], indent: string): string[] {
  return addresses.map(
    (entry) =>
      `${indent}${entry.mac} ${entry.interface} ${entry.expires} ${flagsText([['STATIC', entry.static]])}`,
  );
}

/** All that brconfig shows of a bridge; `verbose` adds what the spanning tree has found out. */
export function bridgeText(bridge: BridgeInfo, verbose: boolean): string {
  const { name, flags, priority, helloTime, forwardDelay, maxAge, maxAddresses, timeout, tree } = bridge;
  const lines = [
    `${name}: ${interfaceFlags(flags)}`,
    '\tConfiguration:',
    `\t\tpriority ${priority} hellotime ${helloTime} fwddelay ${forwardDelay} maxage ${maxAge}`,
    `\t\tipfilter ${bridge.filters ? 'enabled' : 'disabled'} flags 0x0`,
    ...(verbose && tree !== undefined ? treeLines(tree) : []),
    '\tInterfaces:',
    ...bridge.members.flatMap((member) => memberLines(member, verbose)),
    `\tAddress cache (max cache: ${maxAddresses}, timeout: ${timeout}):`,
    ...addressLines(bridge.addresses, '\t\t'),
  ];
  return `${lines.join('\n')}\n`;
}
