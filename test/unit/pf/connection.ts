// A TCP connection between two hosts of the firewall, played segment by segment: each side's next numbers are kept here.
import { expect } from 'vitest';
import type { ParsedIp } from '../../support/frames.ts';
import { pass, segment, tcp } from './firewall.ts';
import type { Host, Segment } from './firewall.ts';

/** MSS 1460, window scale 0, as a SYN carries them. */
export const SYN_OPTIONS = [2, 4, 5, 180, 1, 3, 3, 0];

/** One side: where it is, what it has sent. Numbers are its own, as it sends them. */
export interface Side {
  readonly host: Host;
  readonly address: string;
  readonly port: number;
  seq: number;
  /** What it has received next. */
  ack: number;
}

/** A side that has sent nothing. */
export function sideOf(host: Host, address: string, port: number, seq: number): Side {
  return { host, address, port, seq, ack: 0 };
}

/** Sends a segment of a side to an address as it sees the other one; gives what the other host gets. */
export async function say(
  from: Side,
  to: { readonly host: Host; readonly address: string; readonly port: number },
  flags: string,
  extra: {
    readonly payload?: Buffer;
    readonly options?: readonly number[];
    readonly seq?: number;
    readonly ack?: number;
    readonly window?: number;
  } = {},
): Promise<(Segment & { ip: ParsedIp }) | undefined> {
  to.host.take();
  const { payload = Buffer.alloc(0) } = extra;
  from.host.send(
    tcp({
      source: from.address,
      destination: to.address,
      sourcePort: from.port,
      port: to.port,
      flags,
      seq: extra.seq ?? from.seq,
      ack: flags.includes('.') ? (extra.ack ?? from.ack) : 0,
      payload,
      ...(extra.options === undefined ? {} : { options: extra.options }),
      ...(extra.window === undefined ? {} : { window: extra.window }),
    }),
  );
  await pass(1e6);
  const [ip] = to.host.take();
  return ip === undefined ? undefined : { ...segment(ip), ip };
}

/** A handshake that `client` begins with `server`, which it knows by `seenAs`. Gives what the server sees of the client. */
export async function connect(
  client: Side,
  server: Side,
  seenAs: { readonly address: string; readonly port: number } = server,
): Promise<{ readonly address: string; readonly port: number }> {
  const target = { host: server.host, ...seenAs };
  const syn = await say(client, target, 'S', { options: SYN_OPTIONS });
  expect(syn?.flags).toBe('S');
  client.seq = (client.seq + 1) >>> 0;
  const seen = { address: syn!.ip.source, port: syn!.sourcePort };
  server.ack = (syn!.seq + 1) >>> 0;
  const answer = await say(server, { host: client.host, ...seen }, 'S.', { options: SYN_OPTIONS });
  expect(answer).toMatchObject({ flags: 'S.', ack: client.seq });
  server.seq = (server.seq + 1) >>> 0;
  client.ack = (answer!.seq + 1) >>> 0;
  const ack = await say(client, target, '.');
  expect(ack).toMatchObject({ flags: '.', ack: server.seq });
  return seen;
}
