/**
 * The trees of queues: `altq on` declares them, `queue` says what each is. Bandwidths are resolved against the interface and the parent to be checked; what is
 * kept is what was written (pf.conf(5), QUEUEING).
 */
import type { PfEnvironment } from './environment.ts';
import type { ErrorList } from './errors.ts';
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import type {
  PfAltq,
  PfBandwidth,
  PfCurve,
  PfGeneration,
  PfQueue,
  PfScheduler,
  PfServiceCurve,
} from './ruleset.ts';
import { fitsUnder, NO_CURVE } from './service-curve.ts';
import type {
  AltqSyntax,
  BandwidthSyntax,
  CurveSyntax,
  InterfaceSyntax,
  QueueOptionsSyntax,
  QueueSyntax,
  SchedulerSyntax,
} from './syntax.ts';

export const DEFAULT_QUEUE_PRIORITY = 1;
/** Packets. */
export const DEFAULT_QUEUE_LIMIT = 50;
const DEFAULT_MTU = 1500;
/** Queues of all interfaces together. Each is compared with all others of its interface. */
const MOST_QUEUES = 500;
const TBR_MAX = 0xffff;
/** Packets in the token bucket, by the bandwidth up to which they do. */
const TBR_PACKETS = [
  [1e6, 1],
  [10e6, 4],
  [200e6, 8],
] as const;
const TBR_PACKETS_BEYOND = 24;
const PRIORITIES: Readonly<Record<PfScheduler, number>> = { cbq: 8, priq: 16, hfsc: 256 };
/** Share of an interface that real-time curves may take. */
const REALTIME_SHARE = 0.8;

/** A place in a tree: declared by a parent, and perhaps defined since. */
interface Declared {
  readonly name: string;
  readonly interface: string;
  readonly scheduler: PfScheduler;
  /** Name of the parent queue; absent below the interface itself. */
  readonly parent?: string;
}

interface Defined extends Declared {
  readonly place: Place;
  readonly bits: number;
  readonly priority: number;
  readonly isDefault: boolean;
  readonly linkshare: PfCurve;
  readonly realtime: PfCurve;
  readonly upperlimit: PfCurve;
}

interface Root {
  readonly place: Place;
  readonly interface: string;
  readonly scheduler: PfScheduler;
  readonly bits: number;
  readonly isDefault: boolean;
}

/** A `queue` as the listing shows it: once, whatever interfaces it is on. */
export interface QueueListing {
  readonly queue: PfQueue;
  /** The statement names the interface. */
  readonly withInterface: boolean;
}

export class QueueTrees {
  readonly altqs: PfAltq[] = [];
  readonly queues: PfQueue[] = [];
  readonly #environment: PfEnvironment;
  readonly #generation: PfGeneration;
  readonly #errors: ErrorList;
  readonly #warn: (place: Place, message: string) => void;
  readonly #roots = new Map<string, Root>();
  /** Places by the name of their queue. */
  readonly #declared = new Map<string, Declared[]>();
  /** Queues by interface and name, and by interface and parent. */
  readonly #defined = new Map<string, Defined>();
  readonly #children = new Map<string, Defined[]>();

  constructor(
    environment: PfEnvironment,
    generation: PfGeneration,
    errors: ErrorList,
    warn: (place: Place, message: string) => void,
  ) {
    this.#environment = environment;
    this.#generation = generation;
    this.#errors = errors;
    this.#warn = warn;
  }

  addAltq(altq: AltqSyntax): PfAltq[] {
    const { scheduler } = altq.options;
    if (!scheduler) return refuse(altq, 'no scheduler specified!');
    if (altq.queues.length === 0) refuse(altq, 'no child queues specified');
    if (altq.interfaces.length === 0) refuse(altq, 'altq needs an interface: altq on if ...');
    if (altq.interfaces.some(({ not }) => not)) refuse(altq, 'altq on ! <interface> is not supported');
    return altq.interfaces.map((item) => this.#addRoot(altq, item, scheduler));
  }

  #addRoot(altq: AltqSyntax, item: InterfaceSyntax, scheduler: SchedulerSyntax): PfAltq {
    const name = item.name.text;
    if (this.#roots.has(name)) refuse(altq, `altq already defined on ${name}`);
    const known = this.#environment.interfaces.find((one) => one.name === name);
    const bits = interfaceBits(altq, altq.options.bandwidth, name, known?.bandwidth);
    const root = {
      place: { line: altq.line, column: altq.column },
      interface: name,
      scheduler: scheduler.kind,
      bits,
      isDefault: scheduler.flags.includes('default'),
    };
    this.#roots.set(name, root);
    for (const { text } of altq.queues)
      this.#declare({ name: text, interface: name, scheduler: root.scheduler });
    const { bandwidth, qlimit, tbrsize } = altq.options;
    const record: PfAltq = {
      line: altq.line,
      interface: name,
      scheduler: scheduler.kind,
      ...(scheduler.flags.length > 0 && { flags: scheduler.flags }),
      ...(bandwidth && !isWhole(bandwidth) && { bandwidth: bandwidthOf(bandwidth) }),
      ...(qlimit !== undefined && qlimit > 0 && { qlimit }),
      tbrsize: tbrsize || bucketSize(bits, known?.mtu ?? DEFAULT_MTU),
      queues: altq.queues.map(({ text }) => text),
    };
    this.altqs.push(record);
    return record;
  }

  /** @returns what the listing shows: one line for a queue without interface, one for each interface that is named. */
  addQueue(queue: QueueSyntax): QueueListing[] {
    if (queue.options.tbrsize) refuse(queue, 'cannot specify tbrsize for queue');
    const declared = this.#declared.get(queue.name.text) ?? [];
    const places = declared.filter((item) => isOn(item, queue.interfaces));
    if (this.#defined.size + places.length > MOST_QUEUES)
      refuse(queue.name, `too many queues; a rule set may have ${MOST_QUEUES}`);
    if (places.length === 0) refuse(queue.name, `queue ${queue.name.text} has no parent`);
    const records = places.map((place) => this.#define(queue, place));
    const withInterface = queue.interfaces.length > 0;
    return (withInterface ? records : records.slice(0, 1)).map((record) => ({
      queue: record,
      withInterface,
    }));
  }

  #declare(place: Declared): void {
    append(this.#declared, place.name, place);
  }

  #define(queue: QueueSyntax, declared: Declared): PfQueue {
    const { options } = queue;
    const { scheduler } = declared;
    if (options.scheduler && options.scheduler.kind !== scheduler) {
      refuse(queue, 'exactly one scheduler type per interface allowed');
    }
    if (scheduler === 'priq' && queue.children.length > 0)
      refuse(queue, 'priq queues cannot have child queues');
    if (scheduler === 'priq' && options.bandwidth && !isWhole(options.bandwidth)) {
      refuse(queue, "priq doesn't take bandwidth");
    }
    if (this.#defined.has(keyOf(declared.interface, declared.name))) {
      refuse(queue.name, `queue ${declared.name} already exists on interface ${declared.interface}`);
    }
    const defined = this.#check(queue, declared);
    this.#defined.set(keyOf(defined.interface, defined.name), defined);
    append(this.#children, keyOf(defined.interface, defined.parent), defined);
    for (const { text } of queue.children) {
      if (text === declared.name) refuse(queue, 'queue cannot have itself as child');
      this.#declare({ name: text, interface: declared.interface, scheduler, parent: declared.name });
    }
    const record = queueRecord(queue, defined);
    this.queues.push(record);
    return record;
  }

  #check(queue: QueueSyntax, declared: Declared): Defined {
    const root = this.#roots.get(declared.interface);
    if (!root) return refuse(queue, `altq not defined on ${declared.interface}`);
    const priority = queue.options.priority ?? DEFAULT_QUEUE_PRIORITY;
    const priorities = PRIORITIES[declared.scheduler];
    if (priority >= priorities) refuse(queue, `priority out of range: max ${priorities - 1}`);
    const siblings = this.#children.get(keyOf(declared.interface, declared.parent)) ?? [];
    if (declared.scheduler === 'priq') checkPriority(queue, declared, priority, siblings);
    const parentBits = this.#defined.get(keyOf(declared.interface, declared.parent))?.bits ?? root.bits;
    const bits = resolveBits(queue.options.bandwidth, parentBits);
    if (declared.scheduler !== 'priq') this.#checkBits(queue, declared, bits, parentBits, root, siblings);
    const curves = this.#checkCurves(queue, declared, root, bits, parentBits);
    const isDefault = queue.options.scheduler?.flags.includes('default') ?? false;
    return { ...declared, place: queue, bits, priority, isDefault, ...curves };
  }

  #checkBits(
    queue: QueueSyntax,
    declared: Declared,
    bits: number,
    parentBits: number,
    root: Root,
    siblings: readonly Defined[],
  ): void {
    if (bits > root.bits) refuse(queue, `bandwidth for ${declared.name} higher than interface`);
    if (bits > parentBits) refuse(queue, `bandwidth for ${declared.name} higher than parent`);
    const sum = siblings.reduce((total, sibling) => total + sibling.bits, bits);
    const parent = declared.parent ?? `root_${declared.interface}`;
    if (sum > parentBits) this.#warn(queue, `the sum of the child bandwidth higher than parent "${parent}"`);
  }

  #checkCurves(
    queue: QueueSyntax,
    declared: Declared,
    root: Root,
    bits: number,
    parentBits: number,
  ): { linkshare: PfCurve; realtime: PfCurve; upperlimit: PfCurve } {
    const { scheduler } = queue.options;
    if (declared.scheduler !== 'hfsc')
      return { linkshare: NO_CURVE, realtime: NO_CURVE, upperlimit: NO_CURVE };
    const curve = (syntax: CurveSyntax | undefined): PfCurve => resolveCurve(syntax, parentBits);
    const realtime = curve(scheduler?.realtime);
    const upperlimit = curve(scheduler?.upperlimit);
    const written = curve(scheduler?.linkshare);
    const linkshare = written.m2 === 0 ? { ...written, m2: bits } : written;
    checkShape(queue, declared.name, [realtime, linkshare, upperlimit]);
    const onInterface = this.#on(declared.interface);
    const others = onInterface.map((item) => item.realtime);
    const limit = { m1: 0, d: 0, m2: root.bits * REALTIME_SHARE };
    if (realtime.m2 !== 0 && !fitsUnder([...others, realtime], limit)) {
      refuse(queue, 'real-time sc exceeds 80% of the interface bandwidth');
    }
    const siblings = onInterface
      .filter((item) => item.parent === declared.parent)
      .map((item) => item.linkshare);
    const parent = onInterface.find((item) => item.name === declared.parent)?.linkshare ?? {
      m1: root.bits,
      d: 0,
      m2: root.bits,
    };
    if (linkshare.m2 !== 0 && !fitsUnder([...siblings, linkshare], parent)) {
      // 3.7 shares what there is in proportion.
      if (this.#generation === '4.2') refuse(queue, "linkshare sc exceeds parent's sc");
      this.#warn(queue, "linkshare sc exceeds parent's sc");
    }
    if (Math.max(upperlimit.m1, upperlimit.m2) > root.bits) {
      refuse(queue, 'upper-limit larger than interface bandwidth');
    }
    if (upperlimit.m2 !== 0 && realtime.m2 > upperlimit.m2) {
      refuse(queue, 'upper-limit sc smaller than real-time sc');
    }
    return { linkshare, realtime, upperlimit };
  }

  #on(name: string): Defined[] {
    return [...this.#defined.values()].filter((item) => item.interface === name);
  }

  /** What can be said only when all queues are known: each interface has one default queue, with hfsc a leaf. */
  finish(): void {
    for (const root of this.#roots.values()) {
      const queues = this.#on(root.interface);
      const defaults = queues.filter(({ isDefault }) => isDefault);
      const rootCounts = root.isDefault && root.scheduler === 'cbq' ? 1 : 0;
      if (defaults.length + rootCounts !== 1) {
        this.#errors.report(root.place, `should have one default queue on ${root.interface}`);
      } else if (root.scheduler === 'hfsc' && queues.some(({ parent }) => parent === defaults[0]?.name)) {
        this.#errors.report(defaults[0]?.place ?? root.place, 'default queue is not a leaf');
      }
    }
  }
}

/** Of a queue, or of those below a parent; without one, below the interface itself. */
function keyOf(interfaceName: string, queue: string | undefined): string {
  return queue === undefined ? interfaceName : `${interfaceName} ${queue}`;
}

function append<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

function share(percent: number): PfBandwidth {
  return { share: percent / 100 };
}

function isWhole(bandwidth: BandwidthSyntax): boolean {
  return 'percent' in bandwidth && bandwidth.percent === 100;
}

/** Bit/s of a share counted in whole hundredths, as pfctl does. */
function resolveBits(bandwidth: BandwidthSyntax | undefined, reference: number): number {
  if (!bandwidth) return reference;
  return 'bits' in bandwidth ? bandwidth.bits : Math.floor(reference / 100) * bandwidth.percent;
}

function resolveCurve(syntax: CurveSyntax | undefined, reference: number): PfCurve {
  if (!syntax) return NO_CURVE;
  return {
    m1: syntax.m1 ? resolveBits(syntax.m1, reference) : 0,
    d: syntax.d ?? 0,
    m2: resolveBits(syntax.m2, reference),
  };
}

function interfaceBits(
  place: Place,
  written: BandwidthSyntax | undefined,
  name: string,
  known: number | undefined,
): number {
  if (written && 'bits' in written && written.bits > 0) return written.bits;
  if (known === undefined) {
    return refuse(
      place,
      `interface ${name} does not know its bandwidth, please specify an absolute bandwidth`,
    );
  }
  return resolveBits(written, known) || known;
}

function bucketSize(bits: number, mtu: number): number {
  const packets = TBR_PACKETS.find(([limit]) => bits <= limit)?.[1] ?? TBR_PACKETS_BEYOND;
  return Math.min(TBR_MAX, packets * mtu);
}

function isOn(item: Declared, interfaces: readonly InterfaceSyntax[]): boolean {
  if (interfaces.length === 0) return true;
  return interfaces.some(({ name, not }) => (name.text === item.interface) !== (not === true));
}

function checkPriority(
  place: Place,
  declared: Declared,
  priority: number,
  siblings: readonly Defined[],
): void {
  const same = siblings.find((item) => item.priority === priority);
  if (same) refuse(place, `${same.name} and ${declared.name} have the same priority`);
}

function checkShape(place: Place, name: string, curves: readonly PfCurve[]): void {
  for (const { m1, m2 } of curves) {
    if (m1 > 0 && m2 === 0) refuse(place, `m2 is zero for ${name}`);
    if (m1 !== 0 && m1 < m2) refuse(place, `m1 must be zero for convex curve: ${name}`);
  }
}

function queueRecord(queue: QueueSyntax, declared: Defined): PfQueue {
  const { options } = queue;
  const { scheduler } = options;
  return {
    line: queue.line,
    name: declared.name,
    interface: declared.interface,
    ...(declared.parent !== undefined && { parent: declared.parent }),
    scheduler: declared.scheduler,
    ...bandwidthRecord(options),
    ...(options.priority !== undefined && { priority: options.priority }),
    ...(options.qlimit !== undefined && options.qlimit > 0 && { qlimit: options.qlimit }),
    flags: scheduler?.flags ?? [],
    ...(scheduler?.realtime && { realtime: curveRecord(scheduler.realtime) }),
    ...(scheduler?.linkshare && { linkshare: curveRecord(scheduler.linkshare) }),
    ...(scheduler?.upperlimit && { upperlimit: curveRecord(scheduler.upperlimit) }),
    resolved: {
      bits: declared.bits,
      realtime: declared.realtime,
      linkshare: declared.linkshare,
      upperlimit: declared.upperlimit,
    },
    children: queue.children.map(({ text }) => text),
  };
}

function bandwidthRecord({ bandwidth }: QueueOptionsSyntax): { bandwidth?: PfBandwidth } {
  if (!bandwidth || isWhole(bandwidth)) return {};
  return { bandwidth: bandwidthOf(bandwidth) };
}

function bandwidthOf(bandwidth: BandwidthSyntax): PfBandwidth {
  return 'bits' in bandwidth ? bandwidth : share(bandwidth.percent);
}

function curveRecord({ m1, d, m2 }: CurveSyntax): PfServiceCurve {
  return {
    ...(m1 && { m1: bandwidthOf(m1) }),
    ...(d !== undefined && { d }),
    m2: bandwidthOf(m2),
  };
}
