/**
 * What a peer of transfers is asked for: MTU 1500, one stream or one sender of datagrams, from one stack to another.
 */
export interface TransferPeer {
  /** Bits per second of TCP that reached the far end. */
  stream(seconds: number, warmUp: number): Promise<number>;
  /** Datagrams per second that reached the far end. */
  datagrams(bytes: number, seconds: number, warmUp: number): Promise<number>;
}
