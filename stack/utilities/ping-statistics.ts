/**
 * The statistics of ping(8): requests and replies by sequence number, round-trip times, and the closing lines as NetBSD prints them.
 */

/** A reply that belongs to a request. */
export interface EchoReply {
  /** Full sequence number; that in the message has 16 bits only. */
  readonly sequence: number;
  readonly ms: number;
  readonly duplicate: boolean;
}

export interface PingStatistics {
  readonly transmitted: number;
  readonly received: number;
  /** Longest round trip, ms. */
  readonly longest: number;
  /** Counts a request sent at `time` (ns); returns its sequence number. */
  sent(time: number): number;
  /** Counts a reply; undefined when no request that is remembered had this number. */
  reply(sequence: number, time: number): EchoReply | undefined;
  /** The lines at the end. */
  summary(host: string, timed: boolean): string;
}

const SEQUENCE_SPACE = 0x10000;
const NS_PER_MS = 1e6;

export function createPingStatistics(): PingStatistics {
  /** Latest request of each 16-bit number. */
  const requests = new Map<number, { sequence: number; time: number; answered: boolean }>();
  let transmitted = 0;
  let received = 0;
  let duplicates = 0;
  let shortest = Infinity;
  let longest = 0;
  let sum = 0;
  let squares = 0;

  function count(ms: number): void {
    shortest = Math.min(shortest, ms);
    longest = Math.max(longest, ms);
    sum += ms;
    squares += ms * ms;
  }

  function roundTrip(): string {
    const replies = received + duplicates;
    const mean = sum / replies;
    const deviation = Math.sqrt(Math.max(0, squares / replies - mean * mean));
    const figures = [shortest, mean, longest, deviation].map((ms) => ms.toFixed(3)).join('/');
    return `round-trip min/avg/max/stddev = ${figures} ms\n`;
  }

  return {
    get transmitted() {
      return transmitted;
    },
    get received() {
      return received;
    },
    get longest() {
      return longest;
    },
    sent(time) {
      const sequence = transmitted++;
      requests.set(sequence % SEQUENCE_SPACE, { sequence, time, answered: false });
      return sequence;
    },
    reply(sequence, time) {
      const request = requests.get(sequence);
      if (request === undefined) return undefined;
      const ms = (time - request.time) / NS_PER_MS;
      const duplicate = request.answered;
      request.answered = true;
      if (duplicate) duplicates++;
      else received++;
      count(ms);
      return { sequence: request.sequence, ms, duplicate };
    },
    summary(host, timed) {
      const lost = transmitted === 0 ? 0 : (100 * (transmitted - received)) / transmitted;
      const extra = duplicates > 0 ? ` +${duplicates} duplicates,` : '';
      const counts = `${transmitted} packets transmitted, ${received} packets received,${extra} ${lost.toFixed(1)}% packet loss`;
      return `\n----${host} PING Statistics----\n${counts}\n${timed && received > 0 ? roundTrip() : ''}`;
    },
  };
}
