// Closing connections (RFC 9293 §3.6), resets, and segments that a blind attacker could send (RFC 5961).
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leakReport } from '../../../stack/memory/mbuf.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';
import { SS_CANTRCVMORE } from '../../../stack/net/socket.ts';
import { Host } from './segments.ts';

let host: Host;
beforeEach(() => {
  host = new Host();
});
afterEach(() => {
  host.stop();
  expect(leakReport().size).toBe(0);
});

describe('close', () => {
  test('we close first: FIN_WAIT_1, FIN_WAIT_2, TIME_WAIT, gone after 2 MSL', () => {
    const { so, seq, ack } = host.established();
    host.close(so);
    host.expect({ flags: 'F.', seq: ack, ack: seq });
    expect(host.state(so)).toBe('FIN_WAIT_1');
    host.inject({ flags: '.', seq, ack: ack + 1 });
    expect(host.state(so)).toBe('FIN_WAIT_2');
    host.inject({ flags: 'F.', seq, ack: ack + 1 });
    host.expect({ flags: '.', seq: ack + 1, ack: seq + 1 });
    expect(host.state(so)).toBe('TIME_WAIT');
    host.advance(30_000);
    // The peer's FIN again: our acknowledgement was lost; the wait begins anew.
    host.inject({ flags: 'F.', seq, ack: ack + 1 });
    host.expect({ flags: '.', seq: ack + 1, ack: seq + 1 });
    host.advance(59_000);
    expect(host.statistic('tcpClosed')).toBe(0);
    host.advance(1100);
    expect(host.statistic('tcpClosed')).toBe(1);
  });

  test('the peer closes first: CLOSE_WAIT, LAST_ACK, gone', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'F.', seq, ack });
    host.expect({ flags: '.', ack: seq + 1 });
    expect(host.state(so)).toBe('CLOSE_WAIT');
    expect(so.state & SS_CANTRCVMORE).not.toBe(0);
    // Half closed: we may still send.
    host.write(so, 'last words');
    host.expect({ flags: 'P.', data: 'last words', seq: ack });
    host.inject({ flags: '.', seq: seq + 1, ack: ack + 10 });
    host.close(so);
    host.expect({ flags: 'F.', seq: ack + 10, ack: seq + 1 });
    host.inject({ flags: '.', seq: seq + 1, ack: ack + 11 });
    expect(host.statistic('tcpClosed')).toBe(1);
    host.quiet();
  });

  test('both close at once: CLOSING, TIME_WAIT', () => {
    const { so, seq, ack } = host.established();
    host.shutdown(so);
    host.expect({ flags: 'F.', seq: ack });
    host.inject({ flags: 'F.', seq, ack });
    host.expect({ flags: '.', seq: ack + 1, ack: seq + 1 });
    expect(host.state(so)).toBe('CLOSING');
    host.inject({ flags: '.', seq: seq + 1, ack: ack + 1 });
    expect(host.state(so)).toBe('TIME_WAIT');
    host.close(so);
  });

  test('half-close: after our FIN the peer still sends, and we acknowledge', () => {
    const { so, seq, ack } = host.established();
    host.write(so, 'question');
    host.shutdown(so);
    host.expect({ flags: 'P.', data: 'question' });
    host.expect({ flags: 'F.', seq: ack + 8 });
    host.inject({ flags: '.', seq, ack: ack + 9 });
    host.inject({ flags: 'P.', seq, ack: ack + 9, data: 'answer' });
    expect(new TextDecoder().decode(host.read(so))).toBe('answer');
    host.inject({ flags: 'F.', seq: seq + 6, ack: ack + 9 });
    expect(host.all().at(-1)).toMatchObject({ flags: '.', ack: seq + 7 });
    expect(host.state(so)).toBe('TIME_WAIT');
  });

  test('the FIN rides on the last data, is repeated with it, and waits for a closed window', () => {
    const { so, seq, ack } = host.established({ win: 4 });
    host.write(so, 'abcdefgh');
    host.shutdown(so);
    host.expect({ flags: '.', data: 'abcd' });
    host.quiet();
    host.inject({ flags: '.', seq, ack: ack + 4, win: 100 });
    host.expect({ flags: 'FP.', data: 'efgh', seq: ack + 4 });
    host.advance(1100);
    host.expect({ flags: 'FP.', data: 'efgh', seq: ack + 4 });
    host.inject({ flags: '.', seq, ack: ack + 9 });
    expect(host.state(so)).toBe('FIN_WAIT_2');
  });

  test('close with unread data resets', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'P.', seq, ack, data: 'unread' });
    host.close(so);
    host.expect({ flags: 'R.', seq: ack, ack: seq + 6 });
    expect(host.statistic('tcpClosed')).toBe(1);
  });

  test('linger of zero resets', () => {
    const { so, ack } = host.established();
    so.linger = 0;
    host.close(so);
    host.expect({ flags: 'R.', seq: ack });
  });

  test('data after close resets', () => {
    const { so, seq, ack } = host.established();
    host.close(so);
    host.expect({ flags: 'F.' });
    host.inject({ flags: 'P.', seq, ack: ack + 1, data: 'too late' });
    host.expect({ flags: 'R', seq: ack + 1 });
    expect(host.statistic('tcpInAfterClose')).toBe(1);
    expect(host.statistic('tcpClosed')).toBe(1);
  });

  test('an orphan in FIN_WAIT_2 does not wait for ever', () => {
    const { so, seq, ack } = host.established();
    host.close(so);
    host.expect({ flags: 'F.' });
    host.inject({ flags: '.', seq, ack: ack + 1 });
    host.advance(61_000);
    expect(host.statistic('tcpClosed')).toBe(1);
  });

  test('a listening socket that closes resets its connections, complete or not', () => {
    const listener = host.listener();
    host.inject({ flags: 'S', seq: 1 });
    const answer = host.next();
    host.inject({ flags: '.', seq: 2, ack: answer.seq + 1 });
    host.close(listener);
    host.expect({ flags: 'R.', seq: answer.seq + 1, ack: 2 });
    host.inject({ flags: 'S', seq: 100 });
    host.expect({ flags: 'R.', ack: 101 });
  });
});

describe('reset and forged segments (RFC 5961)', () => {
  test('a reset in sequence ends the connection with ECONNRESET', () => {
    const { so, seq } = host.established();
    host.inject({ flags: 'R', seq });
    expect(so.error).toBe(ERRNO.ECONNRESET);
    expect(host.state(so)).toBe('CLOSED');
    host.quiet();
    host.close(so);
  });

  test('a reset elsewhere in the window is questioned, one outside ignored', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'R', seq: seq + 1 });
    host.expect({ flags: '.', seq: ack, ack: seq });
    host.inject({ flags: 'R', seq: seq - 1 });
    host.inject({ flags: 'R', seq: seq + 10_000_000 });
    host.quiet();
    expect(host.state(so)).toBe('ESTABLISHED');
    expect(host.statistic('tcpChallengeAcks')).toBe(1);
  });

  test('a SYN is questioned', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'S', seq: seq + 100 });
    host.expect({ flags: '.', seq: ack, ack: seq });
    expect(host.state(so)).toBe('ESTABLISHED');
  });

  test('acknowledgements of what was never sent, or long ago, do nothing', () => {
    const { so, seq, ack } = host.established();
    host.inject({ flags: 'P.', seq, ack: ack + 1, data: 'x' });
    host.expect({ flags: '.', ack: seq });
    host.inject({ flags: 'P.', seq, ack: ack - 70_000, data: 'x' });
    host.expect({ flags: '.', ack: seq });
    expect(so.rcvCount).toBe(0);
  });

  test('challenges are limited to 100 a second', () => {
    const { seq } = host.established();
    for (let i = 0; i < 150; i++) host.inject({ flags: 'R', seq: seq + 1 });
    expect(host.all().length).toBe(100);
    host.advance(1000);
    host.inject({ flags: 'R', seq: seq + 1 });
    expect(host.all().length).toBe(1);
  });
});
