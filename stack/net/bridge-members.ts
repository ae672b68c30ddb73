/**
 * Members of bridge interfaces: Ethernet interfaces of the same stack and with the same MTU, which are promiscuous while they are members. In the stack context,
 * or while no thread works.
 */
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { addressesChanged, changeBridge } from './bridge-change.ts';
import {
  MOST_PORTS,
  PORT_SPANS,
  addPort,
  bridgePorts,
  bridges,
  portsOf,
  removePort,
} from './bridge-record.ts';
import type { Bridge, BridgePort } from './bridge-record.ts';
import { flushAddresses } from './bridge-table.ts';
import { copyMac } from './ethernet.ts';
import { IFT_ETHER, ifPromisc, ifnets, interfaceName } from './ifnet.ts';
import type { Ifnet } from './ifnet.ts';
import { stpRemovePort } from './stp-events.ts';

/** The bridge that an interface is a member of; undefined if it is of none. */
export function bridgeOfMember(ifp: Ifnet): Bridge | undefined {
  return ifp.bridge === 0 ? undefined : bridges.get(bridgePorts.get(ifp.bridge).bridge);
}

/** True if two interfaces are members of the same bridge, and that is up: what is on one's network is on the other's. */
export function areBridged(a: Ifnet, b: Ifnet): boolean {
  const bridge = bridgeOfMember(a);
  return bridge !== undefined && bridge.up !== 0 && bridgeOfMember(b)?.ptr === bridge.ptr;
}

function nameOf(bridge: Bridge): string {
  return interfaceName(ifnets.get(bridge.interface));
}

/** Throws SystemError if an interface cannot become a member. */
function checkMember(bridge: Bridge, ifp: Ifnet): void {
  const name = interfaceName(ifp);
  const other = bridgeOfMember(ifp);
  if (other !== undefined)
    throw new SystemError(
      other.ptr === bridge.ptr ? ERRNO.EEXIST : ERRNO.EBUSY,
      `${name} is a member of ${nameOf(other)}`,
    );
  if (ifp.type !== IFT_ETHER)
    throw new SystemError(
      ERRNO.EINVAL,
      `${name} is no Ethernet interface: it cannot be a member of a bridge`,
    );
  if (ifp.aggregate !== 0)
    throw new SystemError(
      ERRNO.EBUSY,
      `${name} is a port of a link aggregate: add that to the bridge instead`,
    );
  const members = portsOf(bridge);
  const [first] = members;
  if (first !== undefined && ifnets.get(first.end).mtu !== ifp.mtu)
    throw new SystemError(
      ERRNO.EINVAL,
      `${name} has mtu ${ifp.mtu} and ${interfaceName(ifnets.get(first.end))} has mtu ${ifnets.get(first.end).mtu}: ` +
        `all members of a bridge have the same`,
    );
  if (members.length === MOST_PORTS)
    throw new SystemError(ERRNO.ENOSPC, `${nameOf(bridge)} has ${MOST_PORTS} members, the most there can be`);
}

/** Makes an interface a member. Throws SystemError. */
export function addMember(bridge: Bridge, ifp: Ifnet): void {
  checkMember(bridge, ifp);
  let added = 0;
  changeBridge(bridge, (time) => {
    added = addPort(bridge, ifp.ptr, ifp.index <= MOST_PORTS ? ifp.index : 0);
    if (added === 0) return;
    const port = bridgePorts.get(added);
    copyMac(port.mac, ifp.mac);
    addressesChanged(bridge, time);
    updateMtu(bridge);
  });
  if (added === 0) throw new SystemError(ERRNO.ENOBUFS, interfaceName(ifp));
  ifp.bridge = added;
  ifPromisc(ifp, true);
}

/** Takes a member out. */
export function removeMember(bridge: Bridge, port: BridgePort): void {
  const ifp = ifnets.get(port.end);
  changeBridge(bridge, (time) => {
    if ((port.flags & PORT_SPANS) !== 0) stpRemovePort(bridge, port, time);
    flushAddresses(bridge, port.ptr, true);
    removePort(bridge, port);
    addressesChanged(bridge, time);
    updateMtu(bridge);
  });
  ifp.bridge = 0;
  ifPromisc(ifp, false);
}

/** A bridge carries what all its members carry. */
export function updateMtu(bridge: Bridge): void {
  const mtus = portsOf(bridge).map(({ end }) => ifnets.get(end).mtu);
  if (mtus.length > 0) ifnets.get(bridge.interface).mtu = Math.min(...mtus);
}

/** The member of a bridge that an interface is; ENXIO if it is none. */
export function memberOf(bridge: Bridge, ifp: Ifnet): BridgePort {
  if (bridgeOfMember(ifp)?.ptr !== bridge.ptr)
    throw new SystemError(ERRNO.ENXIO, `${interfaceName(ifp)} is not a member of ${nameOf(bridge)}`);
  return bridgePorts.get(ifp.bridge);
}
