/** Queues as `pfctl -nv` and `pfctl -s queue` list them. */
import { DEFAULT_QUEUE_LIMIT, DEFAULT_QUEUE_PRIORITY } from './queues.ts';
import type {
  PfAltq,
  PfBandwidth,
  PfCurve,
  PfGeneration,
  PfQueue,
  PfQueueFlag,
  PfScheduler,
  PfServiceCurve,
} from './ruleset.ts';

const UNITS = ['', 'K', 'M', 'G', 'T'];
/** Flags in the order in which they are listed. */
const FLAGS: readonly PfQueueFlag[] = ['red', 'ecn', 'rio', 'borrow', 'default'];

/** `10Mb`, `1.50Kb`, `500 b`. */
export function printRate(bits: number): string {
  let rate = bits;
  let unit = 0;
  for (; rate >= 1000 && unit < UNITS.length - 1; unit++) rate /= 1000;
  const number = Math.floor(rate * 100) % 100 === 0 ? String(Math.floor(rate)) : rate.toFixed(2);
  return `${number}${unit === 0 ? ' ' : (UNITS[unit] ?? '')}b`;
}

function printBandwidth(bandwidth: PfBandwidth): string {
  return 'bits' in bandwidth ? printRate(bandwidth.bits) : `${Math.round(bandwidth.share * 100)}%`;
}

function printCurve(name: string, { m1, d, m2 }: PfServiceCurve): string {
  if (!d) return ` ${name} ${printBandwidth(m2)}`;
  return ` ${name}(${printBandwidth(m1 ?? { bits: 0 })} ${d} ${printBandwidth(m2)})`;
}

type Curves = Partial<Record<'realtime' | 'linkshare' | 'upperlimit', PfServiceCurve | undefined>>;

/** `cbq( default ) `; nothing if there is nothing to say. */
function printScheduler(scheduler: PfScheduler, flags: readonly PfQueueFlag[], curves: Curves = {}): string {
  const { realtime, linkshare, upperlimit } = curves;
  const words = [
    ...FLAGS.filter((flag) => flags.includes(flag)).map((flag) => ` ${flag}`),
    ...(realtime ? [printCurve('realtime', realtime)] : []),
    ...(linkshare ? [printCurve('linkshare', linkshare)] : []),
    ...(upperlimit ? [printCurve('upperlimit', upperlimit)] : []),
  ];
  return words.length > 0 ? `${scheduler}(${words.join('')} ) ` : '';
}

/** `altq on em0 cbq bandwidth 10Mb tbrsize 6000 queue { a b }`. */
export function printAltq(altq: PfAltq): string {
  const { bandwidth, qlimit } = altq;
  return [
    `altq on ${altq.interface} `,
    printScheduler(altq.scheduler, altq.flags ?? []) || `${altq.scheduler} `,
    bandwidth ? `bandwidth ${printBandwidth(bandwidth)} ` : '',
    qlimit !== undefined && qlimit !== DEFAULT_QUEUE_LIMIT ? `qlimit ${qlimit} ` : '',
    `tbrsize ${altq.tbrsize} `,
    `queue { ${altq.queues.map((name) => `${name} `).join('')}}`,
  ].join('');
}

/** The curves of a queue: as they are written, in 3.7 with all shares resolved and what is left out filled in. */
function curvesOf(queue: PfQueue, generation: PfGeneration): Curves {
  const { resolved, realtime, linkshare, upperlimit } = queue;
  if (queue.scheduler !== 'hfsc' || !resolved) return queue;
  if (generation === '4.2') {
    // What the bandwidth says already is not said again.
    const own = resolved.linkshare.m2 !== resolved.bits || resolved.linkshare.d !== 0;
    return { realtime, linkshare: own ? linkshare : undefined, upperlimit };
  }
  const curve = ({ m1, d, m2 }: PfCurve): PfServiceCurve | undefined =>
    m2 === 0 ? undefined : { m1: { bits: m1 }, d, m2: { bits: m2 } };
  return {
    realtime: curve(resolved.realtime),
    linkshare: curve(resolved.linkshare),
    upperlimit: curve(resolved.upperlimit),
  };
}

/** `queue a bandwidth 8Mb cbq( default ) `; `on em0` if the statement says so. */
export function printQueue(queue: PfQueue, withInterface: boolean, generation: PfGeneration): string {
  const { bandwidth, priority, qlimit, children } = queue;
  return [
    `queue ${queue.name} `,
    withInterface ? `on ${queue.interface} ` : '',
    bandwidth && queue.scheduler !== 'priq' ? `bandwidth ${printBandwidth(bandwidth)} ` : '',
    priority !== undefined && priority !== DEFAULT_QUEUE_PRIORITY ? `priority ${priority} ` : '',
    qlimit !== undefined && qlimit !== DEFAULT_QUEUE_LIMIT ? `qlimit ${qlimit} ` : '',
    printScheduler(queue.scheduler, queue.flags, curvesOf(queue, generation)),
    children.length > 0 ? `{ ${children.map((name) => `${name} `).join('')}}` : '',
  ].join('');
}
