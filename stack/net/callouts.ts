/**
 * What the timers of a stack do: handlers by number, the same in every thread, called in the stack context with the record that the callout belongs to.
 */
export const CALLOUT = {
  arp: 1,
  reassembly: 2,
  request: 3,
  linger: 4,
  tcpRexmit: 5,
  tcpPersist: 6,
  tcpKeep: 7,
  tcp2msl: 8,
  tcpDelayedAck: 9,
  ipFlow: 10,
  bridge: 11,
  module: 12,
  agr: 13,
  bpf: 14,
  pf: 15,
} as const;

export type CalloutHandler = (arg: number) => void;

const handlers: CalloutHandler[] = [];

/** Says what a callout with this number (CALLOUT.*) does. */
export function setCalloutHandler(id: number, handler: CalloutHandler): void {
  while (handlers.length <= id) handlers.push(() => undefined);
  handlers[id] = handler;
}

export function runCallout(id: number, arg: number): void {
  handlers[id]!(arg);
}
