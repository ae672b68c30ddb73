// Opening connections (RFC 9293 §3.5), segment by segment, and the ports they use.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leakReport } from '../../../stack/memory/mbuf.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';
import { IPPROTO_TCP, SO_REUSEADDR, TCP_MAXSEG } from '../../../stack/runtime/messages/request.ts';
import { protocolOf } from '../../../stack/net/protosw.ts';
import { SS_CANTRCVMORE, SS_ISCONNECTED } from '../../../stack/net/socket.ts';
import type { Socket } from '../../../stack/net/socket.ts';
import { HOST, Host, PEER } from './segments.ts';

let host: Host;
beforeEach(() => {
  host = new Host();
});
afterEach(() => {
  host.stop();
  expect(leakReport().size).toBe(0);
});

function connect(so: Socket, address = PEER, port = 9000): number {
  const status = protocolOf(so).connect(so, address, port);
  host.pump();
  return status;
}

describe('passive open', () => {
  test('SYN, SYN and ACK, ACK; the connection waits for accept', () => {
    const listener = host.listener();
    host.inject({ flags: 'S', seq: 5000, mss: 1460, scale: 2, ts: [77, 0] });
    const answer = host.expect({ flags: 'S.', ack: 5001, mss: 1460, scale: 3, win: 65_535 });
    expect(answer.ts?.[1]).toBe(77);
    expect(listener.readyCount).toBe(0);
    host.inject({ flags: '.', seq: 5001, ack: answer.seq + 1, ts: [78, answer.ts![0]] });
    expect(listener.readyCount).toBe(1);
    const so = host.accept(listener);
    expect(host.state(so)).toBe('ESTABLISHED');
    expect(protocolOf(so).names(so)).toEqual({
      local: HOST,
      localPort: 80,
      foreign: PEER,
      foreignPort: 40_000,
    });
    expect(protocolOf(so).getOption(so, IPPROTO_TCP, TCP_MAXSEG)).toBe(1448);
    host.quiet();
  });

  test('options are answered only if they were offered', () => {
    host.listener();
    host.inject({ flags: 'S', seq: 5000 });
    host.expect({ flags: 'S.', mss: 1460, scale: undefined, ts: undefined });
  });

  test('a repeated SYN gets the same answer; a SYN and ACK that is lost is sent again', () => {
    host.listener();
    host.inject({ flags: 'S', seq: 5000 });
    const first = host.expect({ flags: 'S.' });
    host.inject({ flags: 'S', seq: 5000 });
    host.expect({ flags: 'S.', seq: first.seq, ack: 5001 });
    host.advance(1001);
    host.expect({ flags: 'S.', seq: first.seq, ack: 5001 });
    host.advance(2000);
    host.expect({ flags: 'S.', seq: first.seq, ack: 5001 });
  });

  test('a full backlog drops the SYN without a word and counts it', () => {
    const listener = host.listener(80, 1);
    for (const port of [1, 2, 3]) {
      host.peerPort = port;
      host.inject({ flags: 'S', seq: 1 });
    }
    expect(host.all().map((segment) => segment.dport)).toEqual([1, 2]);
    expect(host.statistic('tcpListenOverflow')).toBe(1);
    // A connection that is given up frees its place.
    host.peerPort = 1;
    host.inject({ flags: 'R', seq: 2 });
    host.peerPort = 3;
    host.inject({ flags: 'S', seq: 1 });
    host.expect({ flags: 'S.', dport: 3 });
    expect(listener.embryonic).toBe(2);
  });

  test('a connection nobody completes ends with keepinit', () => {
    const listener = host.listener();
    host.inject({ flags: 'S', seq: 5000 });
    host.advance(76_000);
    expect(host.all().at(-1)).toMatchObject({ flags: 'R.' });
    expect(listener.embryonic).toBe(0);
  });

  test('an ACK for a listening socket is reset with its own number', () => {
    host.listener();
    host.inject({ flags: '.', seq: 1, ack: 4711 });
    host.expect({ flags: 'R', seq: 4711 });
    host.inject({ flags: 'R', seq: 1 });
    host.inject({ flags: 'F', seq: 1 });
    host.quiet();
  });

  test('a wrong ACK in SYN_RCVD is reset', () => {
    host.listener();
    host.inject({ flags: 'S', seq: 5000 });
    const answer = host.next();
    host.inject({ flags: '.', seq: 5001, ack: answer.seq + 2 });
    host.expect({ flags: 'R', seq: answer.seq + 2 });
  });

  test('a port nobody listens on answers with RST and ACK; a RST gets no answer', () => {
    host.inject({ flags: 'S', seq: 10, data: 'abc' });
    host.expect({ flags: 'R.', seq: 0, ack: 14 });
    host.inject({ flags: 'R', seq: 10 });
    host.quiet();
    expect(host.statistic('tcpNoPort')).toBe(2);
  });

  test('a bad checksum is counted and dropped', () => {
    host.listener();
    host.inject({ flags: 'S', seq: 1, corrupt: true });
    host.quiet();
    expect(host.statistic('tcpBadSum')).toBe(1);
  });
});

describe('active open', () => {
  test('SYN with all options, then ACK', () => {
    const so = host.socket();
    expect(connect(so)).toBe(0);
    const syn = host.expect({ flags: 'S', ack: 0, mss: 1460, scale: 3, dport: 9000, win: 65_535 });
    expect(syn.ts?.[1]).toBe(0);
    expect(host.state(so)).toBe('SYN_SENT');
    host.peerPort = 9000;
    host.hostPort = syn.sport;
    host.inject({ flags: 'S.', seq: 300, ack: syn.seq + 1, mss: 1000, scale: 7, ts: [9, syn.ts![0]] });
    host.expect({ flags: '.', seq: syn.seq + 1, ack: 301 });
    expect(host.state(so)).toBe('ESTABLISHED');
    expect(so.state & SS_ISCONNECTED).not.toBe(0);
    expect(protocolOf(so).getOption(so, IPPROTO_TCP, TCP_MAXSEG)).toBe(988);
    expect(connect(so)).toBe(ERRNO.EISCONN);
  });

  test('the SYN is repeated with doubled intervals until keepinit ends it', () => {
    const so = host.socket();
    connect(so);
    const { seq } = host.next();
    host.advance(76_000);
    const again = host.all();
    expect(again.map((segment) => Math.round(segment.at / 1000))).toEqual([1, 3, 7, 15, 31, 63]);
    expect(again.every((segment) => segment.flags === 'S' && segment.seq === seq)).toBe(true);
    expect(so.error).toBe(ERRNO.ETIMEDOUT);
    expect(host.state(so)).toBe('CLOSED');
    host.close(so);
  });

  test('RST and ACK refuses; a RST with a wrong ACK does not', () => {
    const so = host.socket();
    connect(so);
    const syn = host.next();
    host.peerPort = 9000;
    host.hostPort = syn.sport;
    host.inject({ flags: 'R.', seq: 0, ack: syn.seq });
    host.quiet();
    expect(host.state(so)).toBe('SYN_SENT');
    host.inject({ flags: 'R.', seq: 0, ack: syn.seq + 1 });
    expect(so.error).toBe(ERRNO.ECONNREFUSED);
    host.close(so);
  });

  test('a SYN and ACK for another number is reset, and the call goes on', () => {
    const so = host.socket();
    connect(so);
    const syn = host.next();
    host.peerPort = 9000;
    host.hostPort = syn.sport;
    for (const wrong of [syn.seq, syn.seq + 2]) {
      host.inject({ flags: 'S.', seq: 300, ack: wrong });
      host.expect({ flags: 'R', seq: wrong | 0 });
    }
    expect(host.state(so)).toBe('SYN_SENT');
  });

  test('port unreachable refuses, host unreachable is remembered for the time-out', () => {
    const so = host.socket();
    connect(so);
    const syn = host.next();
    host.peerPort = 9000;
    host.hostPort = syn.sport;
    host.icmp('unreachable-host', syn.seq);
    expect(so.error).toBe(0);
    host.icmp('unreachable-port', syn.seq + 5);
    expect(host.state(so)).toBe('SYN_SENT');
    host.icmp('unreachable-port', syn.seq);
    expect(so.error).toBe(ERRNO.ECONNREFUSED);
    host.close(so);
    const other = host.socket();
    connect(other);
    const second = host.next();
    host.hostPort = second.sport;
    host.icmp('unreachable-host', second.seq);
    host.advance(80_000);
    expect(other.error).toBe(ERRNO.EHOSTUNREACH);
    host.all();
    host.close(other);
  });

  test('where nobody can be called', () => {
    const so = host.socket();
    expect(connect(so, 0x09090909)).toBe(ERRNO.EHOSTUNREACH);
    expect(connect(so, 0xe0000001)).toBe(ERRNO.EADDRNOTAVAIL);
    expect(connect(so, 0x0a0000ff)).toBe(ERRNO.EADDRNOTAVAIL);
    expect(connect(so, PEER, 0)).toBe(ERRNO.EADDRNOTAVAIL);
    expect(connect(so)).toBe(0);
    host.expect({ flags: 'S' });
    expect(connect(so)).toBe(ERRNO.EALREADY);
    host.close(so);
    host.quiet();
  });

  test('simultaneous open: both SYNs cross', () => {
    const so = host.socket();
    connect(so);
    const syn = host.next();
    host.peerPort = 9000;
    host.hostPort = syn.sport;
    host.inject({ flags: 'S', seq: 700, mss: 1460 });
    host.expect({ flags: 'S.', seq: syn.seq, ack: 701 });
    expect(host.state(so)).toBe('SYN_RCVD');
    host.inject({ flags: 'S.', seq: 700, ack: syn.seq + 1, mss: 1460 });
    expect(host.state(so)).toBe('ESTABLISHED');
    host.inject({ flags: 'P.', seq: 701, ack: syn.seq + 1, data: 'hi' });
    expect(so.rcvCount).toBe(2);
  });

  test('a socket that calls itself', () => {
    const so = host.socket();
    protocolOf(so).bind(so, HOST, 7);
    connect(so, HOST, 7);
    expect(host.state(so)).toBe('ESTABLISHED');
    host.write(so, 'echo');
    expect(new TextDecoder().decode(host.read(so))).toBe('echo');
    host.close(so);
  });

  test('a connection to an own address, and its end on both sides', () => {
    const listener = host.listener(80);
    const so = host.socket();
    connect(so, 0x7f000001, 80);
    const other = host.accept(listener);
    host.write(so, 'abc');
    expect(new TextDecoder().decode(host.read(other))).toBe('abc');
    host.close(so);
    expect(other.state & SS_CANTRCVMORE).not.toBe(0);
    expect(host.state(other)).toBe('CLOSE_WAIT');
    host.close(other);
    host.quiet();
  });
});

describe('ports', () => {
  test('a port in TIME_WAIT is in use, unless both allow its reuse', () => {
    const { so, listener, seq, ack } = host.established({}, (socket) => {
      socket.options |= SO_REUSEADDR;
    });
    host.close(listener);
    host.close(so);
    host.inject({ flags: 'F.', seq, ack: ack + 1 });
    host.all();
    const again = host.socket();
    expect(protocolOf(again).bind(again, 0, 80)).toBe(ERRNO.EADDRINUSE);
    again.options |= SO_REUSEADDR;
    expect(protocolOf(again).bind(again, 0, 80)).toBe(0);
  });

  test('a newer SYN ends TIME_WAIT and begins a connection, with a sequence number behind the old one', () => {
    const { so, listener, seq, ack } = host.established();
    host.close(so);
    host.inject({ flags: 'F.', seq, ack: ack + 1 });
    host.all();
    host.inject({ flags: 'S', seq: seq - 10 });
    host.expect({ flags: '.', ack: seq + 1 });
    host.inject({ flags: 'S', seq: seq + 100 });
    const answer = host.expect({ flags: 'S.', ack: seq + 101 });
    expect((answer.seq - ack) | 0).toBeGreaterThan(1);
    expect(listener.embryonic).toBe(1);
  });

  test('calling from a port whose old connection to the same peer is in TIME_WAIT', () => {
    const call = (): { so: Socket; seq: number } => {
      const so = host.socket();
      so.options |= SO_REUSEADDR;
      expect(protocolOf(so).bind(so, HOST, 5000)).toBe(0);
      expect(connect(so)).toBe(0);
      return { so, seq: host.expect({ flags: 'S', sport: 5000 }).seq };
    };
    const { so, seq } = call();
    host.peerPort = 9000;
    host.hostPort = 5000;
    host.inject({ flags: 'S.', seq: 1, ack: seq + 1 });
    host.close(so);
    host.inject({ flags: 'F.', seq: 2, ack: seq + 2 });
    host.all();
    expect((call().seq - seq) | 0).toBeGreaterThan(2);
  });

  test('ephemeral ports differ', () => {
    const ports = [1, 2, 3].map(() => {
      connect(host.socket());
      return host.next().sport;
    });
    expect(new Set(ports).size).toBe(3);
    expect(ports.every((port) => port >= 49_152)).toBe(true);
  });
});
