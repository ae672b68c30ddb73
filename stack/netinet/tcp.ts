/**
 * TCP (RFC 9293, with RFC 1122, 5681, 5961, 6298, 6528, 6582, 6928, 7323): where it meets the rest of the stack.
 */
import { IPPROTO_TCP } from '../runtime/messages/request.ts';
import { registerProtocol } from '../net/protosw.ts';
import { setTransport } from './protocols.ts';
import { tcpControl } from './tcp-control.ts';
import { tcpInput } from './tcp-input.ts';
import { installTimers } from './tcp-timers.ts';
import { tcpProtocol } from './tcp-usrreq.ts';

/** Makes TCP known to this thread. */
export function installTcp(): void {
  setTransport(IPPROTO_TCP, tcpInput, tcpControl);
  registerProtocol(IPPROTO_TCP, tcpProtocol);
  installTimers();
}
