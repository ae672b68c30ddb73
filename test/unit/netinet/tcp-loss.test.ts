// Loss: the retransmission timer (RFC 6298), fast retransmit and NewReno (RFC 5681, RFC 6582), what is in the peer's hands out of order.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { leakReport } from '../../../stack/memory/mbuf.ts';
import { ERRNO } from '../../../stack/runtime/messages/errno.ts';
import { seqGeq, seqGt, seqLeq, seqLt } from '../../../stack/netinet/tcp-header.ts';
import { Host, pattern } from './segments.ts';

let host: Host;
beforeEach(() => {
  host = new Host();
});
afterEach(() => {
  host.stop();
  expect(leakReport().size).toBe(0);
});

const MSS = 1460;
const offsets = (base: number): number[] => host.all().map((segment) => ((segment.seq - base) | 0) / MSS);

describe('the retransmission timer', () => {
  test('repeats with doubled intervals and gives up with ETIMEDOUT', () => {
    const { so, ack } = host.established();
    host.write(so, 'lost');
    host.next();
    host.advance(600_000);
    const again = host.all();
    const last = again.pop()!;
    expect(last.flags).toBe('R.');
    expect(again.every((segment) => segment.seq === ack && segment.length === 4)).toBe(true);
    expect(again.length).toBe(12);
    const gaps = again.slice(1).map((segment, i) => Math.round((segment.at - again[i]!.at) / 100));
    expect(gaps.slice(0, 6)).toEqual([4, 8, 16, 32, 64, 128]);
    expect(so.error).toBe(ERRNO.ETIMEDOUT);
    host.close(so);
  });

  test('follows the round trip', () => {
    const { so, seq, ack } = host.established();
    let at = ack;
    for (let i = 0; i < 30; i++) {
      host.write(so, 'ping');
      host.advance(400);
      at += 4;
      host.inject({ flags: '.', seq, ack: at });
    }
    host.all();
    host.write(so, 'lost');
    const first = host.next();
    host.advance(3000);
    const repeated = host.next();
    // The round trip is 400 ms, its variation has died down, min_rto_ms is 200.
    expect(repeated.at - first.at).toBeGreaterThanOrEqual(600);
    expect(repeated.at - first.at).toBeLessThan(650);
  });

  test('the acknowledgement of what was sent twice is no measurement (Karn)', () => {
    const { so, seq, ack } = host.established();
    host.write(so, 'lost');
    const first = host.next();
    host.advance(5000);
    host.inject({ flags: '.', seq, ack: ack + 4 });
    const doublings = host.all().length;
    host.write(so, 'again');
    const next = host.next();
    host.advance(60_000);
    // The time-out stays as long as it was, and no 5 s are taken for a round trip.
    const gap = host.next().at - next.at;
    expect(doublings).toBe(4);
    expect(gap).toBe(200 * 2 ** doublings);
    expect(first.at).toBe(0);
    host.all();
  });

  test('a time-out sends one segment, then slow start over what was lost', () => {
    const { so, seq, ack } = host.established();
    host.write(so, pattern(10 * MSS));
    expect(offsets(ack)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    host.advance(250);
    expect(offsets(ack)).toEqual([0]);
    host.inject({ flags: '.', seq, ack: ack + MSS });
    expect(offsets(ack)).toEqual([1, 2]);
    host.inject({ flags: '.', seq, ack: ack + 3 * MSS });
    expect(offsets(ack).length).toBeLessThanOrEqual(4);
    // All the rest had arrived after all.
    host.inject({ flags: '.', seq, ack: ack + 10 * MSS });
    host.advance(100_000);
    host.quiet();
  });
});

describe('fast retransmit', () => {
  test('three duplicates repeat the missing segment; the third of them is not waited for by new data (RFC 3042)', () => {
    const { so, seq, ack } = host.established();
    host.write(so, pattern(20 * MSS));
    expect(offsets(ack).length).toBe(10);
    const duplicate = (): number[] => {
      host.inject({ flags: '.', seq, ack });
      return offsets(ack);
    };
    expect(duplicate()).toEqual([10]);
    expect(duplicate()).toEqual([11]);
    expect(duplicate()).toEqual([0]);
    // The window is 5 segments and one for each duplicate; 12 are outstanding, so the first ones let nothing out.
    const later = Array.from({ length: 7 }, duplicate);
    expect(later).toEqual([[], [], [], [], [12], [13], [14]]);
    host.inject({ flags: '.', seq, ack: ack + 12 * MSS });
    expect(host.statistic('tcpFastRexmit')).toBe(1);
    expect(host.statistic('tcpRexmitTimeout')).toBe(0);
    const after = offsets(ack);
    expect(after[0]).toBe(15);
    expect(after.length).toBeLessThanOrEqual(3);
  });

  test('a partial acknowledgement repeats the next hole at once (NewReno)', () => {
    const { so, seq, ack } = host.established();
    host.write(so, pattern(10 * MSS));
    offsets(ack);
    for (let i = 0; i < 3; i++) host.inject({ flags: '.', seq, ack });
    expect(offsets(ack)).toEqual([0]);
    host.inject({ flags: '.', seq, ack: ack + 4 * MSS });
    expect(offsets(ack)).toEqual([4]);
    host.inject({ flags: '.', seq, ack: ack + 7 * MSS });
    expect(offsets(ack)).toEqual([7]);
    host.inject({ flags: '.', seq, ack: ack + 10 * MSS });
    expect(host.statistic('tcpPartialAcks')).toBe(2);
    host.advance(10_000);
    host.quiet();
  });

  test('window updates and acknowledgements with data are no duplicates', () => {
    const { so, seq, ack } = host.established();
    host.write(so, pattern(5 * MSS));
    offsets(ack);
    for (let i = 0; i < 5; i++) host.inject({ flags: '.', seq, ack, win: 50_000 + i });
    for (let i = 0; i < 5; i++) host.inject({ flags: '.', seq: seq + i, ack, win: 50_004, data: 'x' });
    expect(host.all().filter((segment) => segment.length > 0)).toEqual([]);
    expect(host.statistic('tcpFastRexmit')).toBe(0);
  });
});

describe('segments in any order', () => {
  test('whatever order, overlap and repetition: the client reads the bytes as they were sent', () => {
    const piece = fc.record({ from: fc.nat(5000), length: fc.integer({ min: 1, max: 1460 }) });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.boolean(), (pieces, finFirst) => {
        host.peerPort++;
        const { so, listener, seq, ack } = host.established();
        const total = Math.max(1, ...pieces.map(({ from, length }) => from + length));
        const sent = pattern(total);
        if (finFirst) host.inject({ flags: 'F.', seq: seq + total, ack });
        for (const { from, length } of pieces) {
          host.inject({ flags: '.', seq: seq + from, ack, data: sent.subarray(from, from + length) });
        }
        const covered = new Uint8Array(total);
        for (const { from, length } of pieces) covered.fill(1, from, from + length);
        const hole = covered.indexOf(0);
        const inOrder = hole === -1 ? total : hole;
        const ended = finFirst && inOrder === total;
        expect(host.state(so)).toBe(ended ? 'CLOSE_WAIT' : 'ESTABLISHED');
        // The last acknowledgement, at the latest after its delay, names what is missing.
        host.advance(300);
        const last = host.all().at(-1);
        if (pieces.length > 0) expect(last?.ack).toBe((seq + inOrder + (ended ? 1 : 0)) | 0);
        for (let at = inOrder; at < total; at += 1000) {
          host.inject({ flags: '.', seq: seq + at, ack, data: sent.subarray(at, at + 1000) });
        }
        expect(Buffer.from(host.read(so)).equals(sent)).toBe(true);
        host.close(so);
        host.close(listener);
        host.inject({ flags: 'R', seq: seq + total + (finFirst ? 1 : 0) });
        host.all();
      }),
      { numRuns: 150 },
    );
  });

  test('what waits is bounded', () => {
    const { so, seq, ack } = host.established({}, (listener) => {
      listener.rcvHiwat = 20_000;
    });
    for (let i = 0; i < 1000; i++) host.inject({ flags: '.', seq: seq + 2 + i * 2, ack, data: 'x' });
    expect(host.statistic('tcpNoMemory')).toBeGreaterThan(900);
    host.all();
    host.close(so);
    host.inject({ flags: 'R', seq });
  });
});

test('sequence numbers compare around the end of their circle', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 0x7fffffff }), (a, distance) => {
      const b = (a + distance) | 0;
      expect([seqLt(a, b), seqLeq(a, b), seqGt(b, a), seqGeq(b, a)]).toEqual([true, true, true, true]);
      expect([seqLt(b, a), seqLeq(b, a), seqGt(a, b), seqGeq(a, b), seqLt(a, a), seqLeq(a, a)]).toEqual([
        false,
        false,
        false,
        false,
        false,
        true,
      ]);
    }),
  );
});
