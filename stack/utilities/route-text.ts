/**
 * The routing table as `netstat -r` and `route show` print it.
 */
import type { Process } from '../kernel/process.ts';
import type { RouteInfo } from '../runtime/messages/control.ts';
import { stackControl } from '../socket/libsocket.ts';
import { hostText, networkText } from './address-text.ts';
import { textTable } from './text-table.ts';
import type { Column } from './text-table.ts';

const COLUMNS: readonly Column[] = [
  { heading: 'Destination', width: 18 },
  { heading: 'Gateway', width: 18 },
  { heading: 'Flags', width: 6 },
  { heading: 'Refs', width: 7, right: true },
  { heading: 'Use', width: 8, right: true },
  { heading: 'Mtu', width: 6, right: true },
  { heading: ' Interface', width: 9 },
];

const HOST_MASK = '255.255.255.255';

async function routeRow(
  self: Process,
  route: RouteInfo,
  numeric: boolean,
  indexes: ReadonlyMap<string, number>,
): Promise<string[]> {
  const { destination, netmask, gateway, flags, refs, use, mtu } = route;
  const to =
    netmask === HOST_MASK ? await hostText(self, destination, numeric) : networkText(destination, netmask);
  const via =
    gateway === undefined
      ? `link#${indexes.get(route.interface) ?? '?'}`
      : await hostText(self, gateway, numeric);
  return [to, via, flags, String(refs), String(use), mtu === 0 ? '-' : String(mtu), ` ${route.interface}`];
}

/** The whole table with its headings. */
export async function routingTables(self: Process, numeric: boolean): Promise<string> {
  const routes = await stackControl(self, 'RTM_LIST', {});
  const infos = await stackControl(self, 'SIOCGIFCONF', {});
  const indexes = new Map(infos.map(({ name, index }) => [name, index]));
  const rows = await Promise.all(routes.map((route) => routeRow(self, route, numeric, indexes)));
  return `Routing tables\n\nInternet:\n${textTable(COLUMNS, rows)}`;
}
