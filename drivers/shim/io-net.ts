/**
 * The driver interface of io-net, the network manager before io-pkt, as far as legacy drivers need it here (io-pkt, "Driver kinds"; the names are io-net's): packets
 * are npkts in buffers of their own, whoever hands one on gets it back with txDone(), and a driver has a receive thread of its own.
 */
/** A packet: one buffer with a whole frame. */
export type Npkt = number;

/** What io-net does for a driver (io_net_self_t). */
export interface IoNetSelf {
  /** A packet of `size` bytes for what came in, 0 when there are none. It is the driver's. */
  allocUpNpkt(size: number): Npkt;
  /** Hands a packet up. It is io-net's from now on. */
  txUp(npkt: Npkt): void;
  /** Gives a packet back that came down: it is sent, or lost. */
  txDone(npkt: Npkt): void;
  /** Address of the first byte of a packet in the one memory, and how many there are. */
  data(npkt: Npkt): number;
  length(npkt: Npkt): number;
  /** The driver's own record, as `attach` returned it. */
  readonly handle: number;
  /** Has receive() called in the driver's own thread. */
  readonly receiver: number;
}

/** What a driver does for io-net (io_net_registrant_funcs_t). */
export interface IoNetDriver {
  /** NAME of devn-NAME. */
  readonly name: string;
  readonly description: string;
  /** Makes the device at the end of a cable (net/plug.ts; 0: none yet); its interrupt raises the source `receiver`. Returns its record, 0 when there is no room. */
  attach(plug: number, receiver: number): number;
  /** The interface comes up. */
  begin(ion: IoNetSelf): void;
  /** A packet comes down: it is the driver's until txDone(). With the transmit lock held. */
  rxDown(ion: IoNetSelf, npkt: Npkt): void;
  /** The receive thread: hands up what came in, at most `budget` packets, and says how many. */
  receive(ion: IoNetSelf, budget: number): number;
  /** Ends all I/O: nothing is handed up any more. */
  shutdown1(ion: IoNetSelf): void;
  /** Gives the device back. */
  shutdown2(ion: IoNetSelf): void;
  carrier(ion: IoNetSelf): boolean;
}
