// Data on a connection: acknowledgements, Nagle, windows, persist, keepalive, timestamps, path MTU.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leakReport } from '../../../stack/memory/mbuf.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';
import {
  IPPROTO_IP,
  IPPROTO_TCP,
  IP_TOS,
  IP_TTL,
  SO_KEEPALIVE,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_MAXSEG,
  TCP_NODELAY,
} from '../../../stack/runtime/messages/request.ts';
import { protocolOf } from '../../../stack/net/protosw.ts';
import { SS_NOFDREF } from '../../../stack/net/socket.ts';
import { Host, pattern } from './segments.ts';

let host: Host;
beforeEach(() => {
  host = new Host();
});
afterEach(() => {
  host.stop();
  expect(leakReport().size).toBe(0);
});

describe('acknowledgements', () => {
  test('every second segment at once, a single one after delack_ms', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: '.', seq, ack, data: pattern(1460) });
    host.quiet();
    host.inject({ flags: '.', seq: seq + 1460, ack, data: pattern(1460) });
    host.expect({ flags: '.', ack: seq + 2920, seq: ack });
    host.inject({ flags: 'P.', seq: seq + 2920, ack, data: 'end' });
    host.advance(199);
    host.quiet();
    host.advance(2);
    host.expect({ flags: '.', ack: seq + 2923 });
    expect(host.read(so).length).toBe(2923);
    expect(host.statistic('tcpDelayedAcks')).toBe(1);
  });

  test('with delack_ms 0 every segment is acknowledged', () => {
    host.sysctl('net.inet.tcp.delack_ms', 0);
    const { seq, ack } = host.established();
    host.inject({ flags: 'P.', seq, ack, data: 'a' });
    host.expect({ flags: '.', ack: seq + 1 });
  });

  test('an answer carries the acknowledgement', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'P.', seq, ack, data: 'question' });
    host.write(so, 'answer');
    host.expect({ flags: 'P.', seq: ack, ack: seq + 8, data: 'answer' });
    host.inject({ flags: '.', seq: seq + 8, ack: ack + 6 });
    host.advance(1000);
    host.quiet();
  });

  test('a duplicate is acknowledged at once and not delivered twice', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'P.', seq, ack, data: 'abc' });
    host.inject({ flags: 'P.', seq, ack, data: 'abc' });
    host.expect({ flags: '.', ack: seq + 3 });
    host.inject({ flags: 'P.', seq, ack, data: 'abcdef' });
    expect(new TextDecoder().decode(host.read(so))).toBe('abcdef');
    expect(host.statistic('tcpInDuplicate')).toBe(1);
    expect(host.statistic('tcpInPartDuplicate')).toBe(1);
  });

  test('a segment out of order is acknowledged at once with what is missing', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'P.', seq: seq + 3, ack, data: 'def' });
    host.expect({ flags: '.', ack: seq });
    host.inject({ flags: 'FP.', seq: seq + 6, ack, data: 'ghi' });
    host.expect({ flags: '.', ack: seq });
    host.inject({ flags: 'P.', seq, ack, data: 'abc' });
    host.expect({ flags: '.', ack: seq + 10 });
    expect(new TextDecoder().decode(host.read(so))).toBe('abcdefghi');
    expect(host.state(so)).toBe('CLOSE_WAIT');
  });
});

describe('sending', () => {
  test('full segments within the initial window of ten, the rest as acknowledgements come', () => {
    const { so, seq, ack } = host.established();
    host.write(so, pattern(30_000));
    const first = host.all();
    expect(first.map((segment) => segment.length)).toEqual(Array.from({ length: 10 }, () => 1460));
    host.inject({ flags: '.', seq, ack: ack + 2920 });
    // Slow start: two segments acknowledged, two more than those allowed.
    const second = host.all();
    expect(second.map((segment) => segment.length)).toEqual([1460, 1460, 1460, 1460]);
    const sent = [...first, ...second];
    expect(
      Buffer.concat(sent.map((segment) => segment.data)).equals(pattern(30_000).subarray(0, 20_440)),
    ).toBe(true);
  });

  test('an acknowledgement of many segments opens the window by two at most (RFC 3465)', () => {
    const { so, seq, ack } = host.established();
    host.write(so, pattern(60_000));
    expect(host.all().length).toBe(10);
    host.inject({ flags: '.', seq, ack: ack + 8 * 1460 });
    expect(host.all().length).toBe(10);
  });

  test('Nagle: a small segment waits while another is outstanding, unless TCP_NODELAY is set', () => {
    const { so, seq, ack } = host.established();
    host.write(so, 'a');
    host.expect({ data: 'a' });
    host.write(so, 'b');
    host.write(so, 'c');
    host.quiet();
    host.inject({ flags: '.', seq, ack: ack + 1 });
    host.expect({ data: 'bc', flags: 'P.' });
    const protocol = protocolOf(so);
    expect(protocol.setOption(so, IPPROTO_TCP, TCP_NODELAY, 1)).toBe(0);
    expect(protocol.getOption(so, IPPROTO_TCP, TCP_NODELAY)).toBe(1);
    host.write(so, 'd');
    host.expect({ data: 'd', seq: ack + 3 });
  });

  test('the window of the peer bounds what is outstanding', () => {
    const { so, seq, ack } = host.established({ win: 2000 });
    host.write(so, pattern(5000));
    expect(host.all().map((segment) => segment.length)).toEqual([1460]);
    host.inject({ flags: '.', seq, ack: ack + 1460, win: 4000 });
    expect(host.all().map((segment) => segment.length)).toEqual([1460, 1460, 620]);
  });

  test('a closed window is probed with doubled intervals; when it opens all goes on', () => {
    const { so, seq, ack } = host.established({ win: 100 });
    host.write(so, pattern(300));
    expect(host.all().map((segment) => segment.length)).toEqual([100]);
    host.inject({ flags: '.', seq, ack: ack + 100, win: 0 });
    host.quiet();
    host.advance(250);
    host.expect({ seq: ack + 100, length: 1 });
    host.inject({ flags: '.', seq, ack: ack + 100, win: 0 });
    host.advance(300);
    host.quiet();
    host.advance(100);
    host.expect({ seq: ack + 100, length: 1 });
    // The probe's byte is taken, the window stays shut.
    host.inject({ flags: '.', seq, ack: ack + 101, win: 0 });
    host.advance(900);
    host.expect({ seq: ack + 101, length: 1 });
    host.inject({ flags: '.', seq, ack: ack + 101, win: 1000 });
    host.expect({ seq: ack + 101, length: 199 });
    host.inject({ flags: '.', seq, ack: ack + 300, win: 1000 });
    host.advance(60_000);
    host.quiet();
    expect(host.state(so)).toBe('ESTABLISHED');
  });

  test('a peer that keeps its window shut for ever does not hold a socket that nobody has', () => {
    const { so, seq, ack } = host.established({ win: 10 });
    host.write(so, pattern(20));
    host.inject({ flags: '.', seq, ack: ack + 10, win: 0 });
    host.close(so);
    for (let i = 0; i < 20; i++) {
      host.advance(64_000);
      host.inject({ flags: '.', seq, ack: ack + 10, win: 0 });
    }
    expect(host.statistic('tcpPersistDrop')).toBe(1);
    host.all();
  });

  test('TTL and TOS of the socket', () => {
    const { so } = host.established();
    const protocol = protocolOf(so);
    expect(protocol.setOption(so, IPPROTO_IP, IP_TTL, 3)).toBe(0);
    expect(protocol.setOption(so, IPPROTO_IP, IP_TOS, 0x10)).toBe(0);
    expect(protocol.setOption(so, IPPROTO_IP, IP_TTL, 0)).toBe(ERRNO.EINVAL);
    host.write(so, 'x');
    host.expect({ ttl: 3, tos: 0x10 });
    expect(protocol.getOption(so, IPPROTO_IP, IP_TTL)).toBe(3);
  });
});

describe('the window we offer', () => {
  test('closes as data waits to be read, opens when enough was read', () => {
    const { so, seq, ack } = host.established({ scale: 0 }, (listener) => {
      listener.rcvHiwat = 8760;
    });
    for (let i = 0; i < 6; i++) host.inject({ flags: '.', seq: seq + i * 1460, ack, data: pattern(1460) });
    const windows = host.all().map((segment) => segment.win);
    expect(windows).toEqual([5840, 2920, 0]);
    host.inject({ flags: '.', seq: seq + 8760, ack, data: 'x' });
    host.expect({ flags: '.', ack: seq + 8760, win: 0 });
    expect(host.statistic('tcpInWindowProbe')).toBe(1);
    host.read(so, 1000);
    host.quiet();
    host.read(so, 2000);
    host.expect({ flags: '.', ack: seq + 8760, win: 3000 });
    host.read(so, 100);
    host.quiet();
    host.read(so);
    host.expect({ flags: '.', win: 8760 });
  });

  test('does not shrink when the buffer does', () => {
    const { so, seq, ack } = host.established();
    host.write(so, 'x');
    const { win } = host.next();
    so.rcvHiwat = 1000;
    host.inject({ flags: 'P.', seq, ack: ack + 1, data: pattern(500) });
    host.advance(300);
    expect(host.next().win).toBe(win - 500);
  });

  test('what lies behind it is cut off', () => {
    const { so, seq, ack } = host.established({}, (listener) => {
      listener.rcvHiwat = 1000;
    });
    host.inject({ flags: 'FP.', seq, ack, data: pattern(1200) });
    host.expect({ flags: '.', ack: seq + 1000, win: 0 });
    expect(host.read(so).length).toBe(1000);
    expect(host.state(so)).toBe('ESTABLISHED');
  });

  test('is scaled as negotiated', () => {
    const { so, seq, ack } = host.established({ scale: 5, win: 100 });
    host.inject({ flags: 'P.', seq, ack, data: 'xy', win: 100 });
    host.advance(300);
    expect(host.next().win).toBe((262_144 - 2) >>> 3);
    host.write(so, pattern(10_000));
    // 100 << 5 bytes of window.
    expect(host.all().reduce((sum, segment) => sum + segment.length, 0)).toBe(2920);
  });
});

describe('keepalive', () => {
  test('probes an idle connection and drops it when nobody answers', () => {
    const { so, seq, ack } = host.established();
    so.options |= SO_KEEPALIVE;
    const protocol = protocolOf(so);
    expect(protocol.getOption(so, IPPROTO_TCP, TCP_KEEPIDLE)).toBe(7200);
    for (const [option, value] of [
      [TCP_KEEPIDLE, 10],
      [TCP_KEEPINTVL, 3],
      [TCP_KEEPCNT, 2],
    ] as const) {
      expect(protocol.setOption(so, IPPROTO_TCP, option, value)).toBe(0);
      expect(protocol.getOption(so, IPPROTO_TCP, option)).toBe(value);
    }
    host.advance(9000);
    host.inject({ flags: '.', seq, ack });
    host.advance(9900);
    host.quiet();
    host.advance(200);
    host.expect({ flags: '.', seq: ack - 1, ack: seq, length: 0 });
    host.inject({ flags: '.', seq, ack });
    host.advance(10_100);
    host.expect({ flags: '.', seq: ack - 1 });
    host.advance(3000);
    host.expect({ flags: '.', seq: ack - 1 });
    host.advance(3000);
    host.expect({ flags: 'R.', seq: ack });
    expect(so.error).toBe(ERRNO.ETIMEDOUT);
    host.close(so);
  });

  test('a probe of the peer is answered', () => {
    const { seq, ack } = host.established();
    host.inject({ flags: '.', seq: seq - 1, ack });
    host.expect({ flags: '.', seq: ack, ack: seq });
  });
});

describe('timestamps (RFC 7323)', () => {
  test('each segment echoes the latest; an older one is refused (PAWS)', () => {
    const { so, seq, ack } = host.established({ ts: [1000, 0] });
    host.inject({ flags: 'P.', seq, ack, data: 'a', ts: [1010, 0] });
    host.advance(200);
    expect(host.expect({ flags: '.', ack: seq + 1 }).ts?.[1]).toBe(1010);
    host.inject({ flags: 'P.', seq: seq + 1, ack, data: 'b', ts: [1005, 0] });
    host.expect({ flags: '.', ack: seq + 1 });
    expect(host.statistic('tcpPaws')).toBe(1);
    host.inject({ flags: 'P.', seq: seq + 1, ack, data: 'b' });
    host.quiet();
    host.inject({ flags: 'P.', seq: seq + 1, ack, data: 'b', ts: [1010, 0] });
    expect(new TextDecoder().decode(host.read(so))).toBe('ab');
  });

  test('the clock runs in milliseconds', () => {
    const { so } = host.established({ ts: [1, 0] });
    host.write(so, 'x');
    const first = host.next().ts![0];
    host.advance(200);
    host.all();
    host.advance(1800);
    expect((host.all().at(-1)!.ts![0] - first) | 0).toBeGreaterThan(1000);
  });
});

describe('segment size', () => {
  test('mssdflt for a peer that names none; the smaller one otherwise', () => {
    const { so } = host.established({ mss: undefined as never });
    host.write(so, pattern(1000));
    expect(host.all().map((segment) => segment.length)).toEqual([536, 464]);
  });

  test('too big for the path: shorter segments, sent again, and never longer ones', () => {
    const { so, seq, ack } = host.established();
    const protocol = protocolOf(so);
    host.write(so, pattern(2920));
    expect(host.all().length).toBe(2);
    host.icmp('too-big', ack, 1000);
    expect(protocol.getOption(so, IPPROTO_TCP, TCP_MAXSEG)).toBe(960);
    expect(host.all().map((segment) => [segment.seq - ack, segment.length])).toEqual([
      [0, 960],
      [960, 960],
      [1920, 960],
      [2880, 40],
    ]);
    host.icmp('too-big', ack, 1400);
    expect(protocol.getOption(so, IPPROTO_TCP, TCP_MAXSEG)).toBe(960);
    // A router that does not say what fits: the next plateau.
    host.icmp('too-big', ack, 0, 1000);
    expect(protocol.getOption(so, IPPROTO_TCP, TCP_MAXSEG)).toBe(468);
    host.inject({ flags: 'R', seq });
    host.all();
    host.close(so);
  });

  test('a smaller MTU of the interface is noticed when it matters', () => {
    const { so, ack } = host.established();
    host.ifp.mtu = 600;
    host.write(so, pattern(1000));
    expect(host.all().map((segment) => [segment.seq - ack, segment.length])).toEqual([
      [0, 560],
      [560, 440],
    ]);
  });
});

test('a client that has shut down receiving drops what comes', () => {
  const { so, seq, ack } = host.established();
  so.state |= 0x20;
  host.inject({ flags: 'P.', seq, ack, data: 'abc' });
  host.inject({ flags: 'P.', seq: seq + 3, ack, data: 'def' });
  expect(so.rcvCount).toBe(0);
  host.expect({ ack: seq + 6 });
});

test('a connection that nobody accepts keeps what it received', () => {
  const listener = host.listener();
  host.inject({ flags: 'S', seq: 1 });
  const answer = host.next();
  host.inject({ flags: 'FP.', seq: 2, ack: answer.seq + 1, data: 'early' });
  const so = host.accept(listener);
  expect(so.state & SS_NOFDREF).toBe(0);
  expect(new TextDecoder().decode(host.read(so))).toBe('early');
  expect(host.state(so)).toBe('CLOSE_WAIT');
  host.all();
});
