/**
 * Which transport takes the packets of which IP protocol, and who is told of ICMP errors about packets that were sent (pr_input and pr_ctlinput).
 */

/**
 * Takes a packet for this host in the stack context: `m` begins with its IP header of `header` bytes, which is contiguous and checked, and has exactly the length
 * that the header names. Link-level broadcast and multicast are marked in its flags. The handler owns it.
 */
export type TransportInput = (stack: number, m: number, header: number) => void;

/** What an ICMP error means to a transport (PRC_*). */
export type ControlEvent =
  | 'unreachable-network'
  | 'unreachable-host'
  | 'unreachable-protocol'
  | 'unreachable-port'
  | 'too-big'
  | 'prohibited'
  | 'time-exceeded'
  | 'quench';

/**
 * Tells a transport of an error about a packet it sent: `ip` is the address of the returned IP header, with at least 8 bytes of transport header behind it (contiguous);
 * `mtu` is given with too-big (0: unknown).
 */
export type ControlInput = (stack: number, event: ControlEvent, ip: number, mtu: number) => void;

const inputs: (TransportInput | undefined)[] = Array.from({ length: 256 }, () => undefined);
const controls: (ControlInput | undefined)[] = Array.from({ length: 256 }, () => undefined);

export function setTransport(protocol: number, input: TransportInput, control: ControlInput): void {
  inputs[protocol] = input;
  controls[protocol] = control;
}

export function transportInput(protocol: number): TransportInput | undefined {
  return inputs[protocol];
}

/** Takes a packet of a protocol that has no transport; false if nobody does. */
let otherTransport: (stack: number, m: number, header: number, protocol: number) => boolean = () => false;

/** Says who takes the packets of other protocols, for protocol modules on the stacks that have them. */
export function setOtherTransport(input: typeof otherTransport): void {
  otherTransport = input;
}

/** Offers a packet of a protocol without transport to the modules of its stack; false if none takes it. */
export function moduleTransport(stack: number, m: number, header: number, protocol: number): boolean {
  return otherTransport(stack, m, header, protocol);
}

export function transportControl(protocol: number): ControlInput | undefined {
  return controls[protocol];
}
