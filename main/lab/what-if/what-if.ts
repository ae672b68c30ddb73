/**
 * What-if: which packets of a capture a rule set would pass, by which rule. The real lsm-pf on a node of a throw-away lab in virtual time sees every packet at the time at which it
 * was captured, so that states, their time-outs and limits count. Nothing of it reaches a wire; no other lab may run in this thread.
 *
 * A capture cannot answer back: `modulate state` and `synproxy state`, which change what both sides would have said next, are judged as `keep state`.
 */
import { mFromBytes } from '../../../stack/memory/mbuf-chain.ts';
import { CSUM_TRANSPORT_GOOD, HEADROOM, mFree, mbuf, ownerTag } from '../../../stack/memory/mbuf.ts';
import { readClock } from '../../../stack/runtime/clock.ts';
import { fromOutside } from '../../../stack/runtime/outside.ts';
import { sleepNs } from '../../../stack/runtime/timers.ts';
import type { PfEnvironment, PfInterface } from '../../../stack/filter/pf/environment.ts';
import type { PfError } from '../../../stack/filter/pf/errors.ts';
import type { PfRuleInfo } from '../../../stack/filter/pf/ioctl.ts';
import { loadRuleSet } from '../../../stack/filter/pf/load.ts';
import type { PfCall } from '../../../stack/filter/pf/load.ts';
import { parsePfConf } from '../../../stack/filter/pf/parse.ts';
import { printRule } from '../../../stack/filter/pf/print-rule.ts';
import { PF_PARTS } from '../../../stack/filter/pf/ruleset.ts';
import type { PfGeneration, PfPart, PfRule, PfRuleSet } from '../../../stack/filter/pf/ruleset.ts';
import { shadowedRules } from '../../../stack/filter/pf/shadow.ts';
import { control } from '../../../stack/kernel/stack-client.ts';
import { startPending } from '../../../stack/net/ifnet.ts';
import type { Ifnet } from '../../../stack/net/ifnet.ts';
import { PFIL_HEAD, PFIL_IN, PFIL_OUT, pfilRun } from '../../../stack/net/pfil.ts';
import { stacks } from '../../../stack/net/stack.ts';
import { dissect } from '../../capture/dissect/dissect.ts';
import type { CapturedPacket, CaptureProblem, CaptureRecord } from '../../capture/packet.ts';
import { captureRecords } from '../../capture/read.ts';
import type { CaptureSource } from '../../capture/source.ts';
import { parseLab } from '../file/parse.ts';
import { startLab } from '../lab.ts';
import type { RunningLab } from '../lab.ts';
import type { VirtualTime } from '../time/virtual-time.ts';
import { ipPart } from './ip-part.ts';
import { directionOf } from './direction.ts';
import type { PacketVerdict, RuleRef, RuleTotals, WhatIfReport } from './report.ts';
import { Answers } from './answers.ts';
import { VerdictReader, endsText } from './verdict-reader.ts';

export interface WhatIfOptions {
  /** Name of the file, for reports. */
  readonly file: string;
  /** The pf.conf. */
  readonly text: string;
  readonly generation: PfGeneration;
  /** What the rules are read against; its interfaces are those of the node. */
  readonly environment: PfEnvironment;
  readonly capture: CaptureSource;
  /** Interface at which the packets are taken to have been captured. */
  readonly interface: string;
  /** `both`: told by the capture, or by addresses. */
  readonly direction: 'in' | 'out' | 'both';
  /** Text of a file that the rules name. */
  readonly readFile?: (path: string) => string | undefined;
  readonly macros?: Readonly<Record<string, string>>;
  /** Told of damage in the capture; what can be read is looked at. */
  readonly onProblem?: (problem: CaptureProblem) => void;
}

type Verdict = Omit<PacketVerdict, 'number' | 'time' | 'summary' | 'direction'>;

export type WhatIfResult = WhatIfReport | { readonly errors: readonly PfError[] };

const MODULE = 'lsm-pf-v4';
const OWNER = ownerTag('program');
/** Records that are read at once. */
const BATCH = 512;
const LOOPBACK = /^lo\d+$/;

/** The lab: one node with the interfaces that the rules are read against. */
function labText(interfaces: readonly PfInterface[], wanted: string): string {
  const cards = interfaces.filter(({ name }) => !LOOPBACK.test(name));
  const names = [...new Set([...cards.map(({ name }) => name), wanted])];
  const lines = cards.flatMap(({ name, addresses }) =>
    addresses
      .filter(({ af }) => af === 'inet')
      .map(({ address, length }, i) => `ifconfig ${name} ${address}/${length}${i === 0 ? '' : ' alias'} up`),
  );
  return JSON.stringify({
    name: 'what-if',
    nodes: { node: { stack: 'io-pkt-v4-hc -p pf-v4', interfaces: names, startup: lines } },
  });
}

/** The records of a capture. While it is read the lab's clock stands still, so they are read in batches. */
async function* recordsOf(source: CaptureSource): AsyncGenerator<CaptureRecord> {
  const records = captureRecords(source);
  const readOn = async (): Promise<CaptureRecord[]> => {
    const batch: CaptureRecord[] = [];
    while (batch.length < BATCH) {
      const next = await records.next();
      if (next.done === true) break;
      batch.push(next.value);
    }
    return batch;
  };
  for (;;) {
    const batch = await fromOutside(readOn);
    if (batch.length === 0) return;
    yield* batch;
  }
}

async function startNode(options: WhatIfOptions): Promise<RunningLab> {
  const parsed = parseLab(labText(options.environment.interfaces, options.interface), 'what-if');
  if (!parsed.ok) {
    const reason = parsed.problems.map(({ message }) => message).join('; ');
    throw new Error(`interface ${options.interface}: ${reason}`);
  }
  return startLab(parsed.lab, { time: 'virtual', seed: 1 });
}

/** Runs a rule set over a capture. Rejects when the capture cannot be read at all; rules that are wrong come back as errors. */
export async function pfWhatIf(options: WhatIfOptions): Promise<WhatIfResult> {
  const parsed = parsePfConf(options.text, options.environment, {
    generation: options.generation,
    ...(options.readFile === undefined ? {} : { readFile: options.readFile }),
    ...(options.macros === undefined ? {} : { macros: options.macros }),
  });
  if ('errors' in parsed) return parsed;
  const lab = await startNode(options);
  const run = new WhatIfRun(lab, options, parsed.ruleSet);
  try {
    return await run.report();
  } finally {
    run.end();
    await lab.stop();
  }
}

/** A rule set whose rules leave sequence numbers and handshakes alone. */
function plainStates(ruleSet: PfRuleSet): PfRuleSet {
  const plain = (rule: PfRule): PfRule =>
    rule.state === 'modulate' || rule.state === 'synproxy' ? { ...rule, state: 'keep' } : rule;
  const anchors = Object.entries(ruleSet.anchors).map(
    ([path, rules]) => [path, { ...rules, filter: rules.filter.map(plain) }] as const,
  );
  return { ...ruleSet, anchors: Object.fromEntries(anchors) };
}

class WhatIfRun {
  readonly #lab: RunningLab;
  readonly #options: WhatIfOptions;
  readonly #ruleSet: PfRuleSet;
  readonly #stack: number;
  readonly #ifp: Ifnet;
  readonly #reader = new VerdictReader();
  readonly #answers = new Answers();
  readonly #packets: PacketVerdict[] = [];
  readonly #linkTypes: number[] = [];
  readonly #virtual: VirtualTime;
  #last: bigint | undefined;

  constructor(lab: RunningLab, options: WhatIfOptions, ruleSet: PfRuleSet) {
    this.#lab = lab;
    this.#virtual = lab.engine.virtual!;
    this.#options = options;
    this.#ruleSet = ruleSet;
    this.#stack = lab.nodes.get('node')!.stacks.get('')!.address;
    this.#ifp = lab.findInterface('node', options.interface)!;
  }

  #call: PfCall = async (command, data) => {
    const { reply } = await control(this.#stack, 'MODULE_CONTROL', { file: MODULE, command, data });
    // The reply is that of the call that was asked for.
    return reply as never;
  };

  async report(): Promise<WhatIfReport> {
    await loadRuleSet(plainStates(this.#ruleSet), this.#call);
    await this.#call('DIOCSTART', {});
    for await (const record of recordsOf(this.#options.capture)) {
      if (record.kind === 'interface') this.#linkTypes[record.id] = record.interface.linkType;
      else if (record.kind === 'packet') await this.#feed(record.packet);
      else if (record.kind === 'problem') this.#problem(record.problem);
    }
    const rules = await this.#totals();
    const matched = new Set(
      this.#packets.flatMap(({ rule, translation }) => [keyOf(rule), keyOf(translation)]),
    );
    const count = (verdict: PacketVerdict['verdict']): number =>
      this.#packets.filter((packet) => packet.verdict === verdict).length;
    return {
      file: this.#options.file,
      packets: this.#packets,
      passed: count('pass'),
      blocked: count('block'),
      ignored: count('ignored'),
      rules,
      untouched: rules.filter((rule) => rule.packets === 0 && !matched.has(keyOf(rule))).map(refOf),
      shadowed: this.#shadowed(),
    };
  }

  end(): void {
    this.#reader.end();
  }

  #problem(problem: CaptureProblem): void {
    if (problem.code === 'unreadable' || problem.code === 'not-a-capture') throw new Error(problem.message);
    this.#options.onProblem?.(problem);
  }

  async #feed(packet: CapturedPacket): Promise<void> {
    await this.#passTime(packet);
    const linkType = this.#linkTypes[packet.interfaceId] ?? 1;
    const { source, destination, info } = dissect(packet.data, linkType).columns;
    const ip = ipPart(packet.data, linkType);
    const direction = directionOf(packet, ip, this.#options);
    const base = {
      number: this.#packets.length + 1,
      time: String(packet.time),
      summary: `${source} > ${destination} ${info}`,
      direction,
    };
    if (ip === undefined) this.#packets.push({ ...base, verdict: 'ignored', reason: 'no IPv4 packet' });
    else this.#packets.push({ ...base, ...this.#translated(ip, direction) });
  }

  /** Judges a packet, or what it would have been had the rules been there when it was captured. */
  #translated(ip: Uint8Array, direction: 'in' | 'out'): Verdict {
    const adapted = this.#answers.adapt(ip);
    const verdict = this.#judge(adapted ?? ip, direction);
    const { before, after } = this.#reader.ends;
    if (adapted === undefined && this.#reader.isTranslated) this.#answers.note(before, after);
    return adapted === undefined ? verdict : { ...verdict, adapted: endsText(before) };
  }

  /** The lab's clock goes on as the capture's did; packets that were captured out of order come at once. */
  async #passTime({ time, untimed }: CapturedPacket): Promise<void> {
    if (untimed === true) return;
    const elapsed = this.#last === undefined ? 0n : time - this.#last;
    if (elapsed > 0n && !this.#virtual.skipTo(readClock() + Number(elapsed))) await sleepNs(Number(elapsed));
    if (this.#last === undefined || elapsed > 0n) this.#last = time;
  }

  #judge(ip: Uint8Array, direction: 'in' | 'out'): Verdict {
    return this.#lab.engine.whileHeld(() => {
      const m = this.#mbufOf(ip, direction);
      if (m === 0) return { verdict: 'ignored', reason: 'no buffers' } as const;
      this.#reader.begin(ip);
      const way = direction === 'in' ? PFIL_IN : PFIL_OUT;
      const passed = pfilRun(stacks.get(this.#stack), PFIL_HEAD.inet, m, this.#ifp, way);
      const taken = this.#reader.take(passed !== 0);
      if (passed !== 0) mFree(passed);
      startPending();
      return taken;
    });
  }

  /** A captured packet as PF sees it. What the capture has cut off is zero; checksums count as good: on the host that sends they may not have been made yet. */
  #mbufOf(ip: Uint8Array, direction: 'in' | 'out'): number {
    const length = ((ip[2] ?? 0) << 8) | (ip[3] ?? 0);
    const whole = ip.length === length ? ip : new Uint8Array(length);
    if (whole !== ip) whole.set(ip);
    const m = mFromBytes(OWNER, whole, HEADROOM);
    if (m === 0) return 0;
    const view = mbuf(m);
    view.csum |= CSUM_TRANSPORT_GOOD;
    if (direction === 'in') view.rcvif = this.#ifp.ptr;
    return m;
  }

  async #totals(): Promise<RuleTotals[]> {
    const totals: RuleTotals[] = [];
    for (const [anchor, lists] of Object.entries(this.#ruleSet.anchors))
      for (const part of PF_PARTS) {
        const infos = await this.#countersOf(anchor, part);
        lists[part].forEach((rule, number) => {
          const { evaluations = 0, packets = 0, bytes = 0, statesMade: states = 0 } = infos[number] ?? {};
          const { line } = rule;
          totals.push({
            part,
            anchor,
            number,
            line,
            text: this.#textOf(rule),
            evaluations,
            packets,
            bytes,
            states,
          });
        });
      }
    return totals;
  }

  async #countersOf(anchor: string, part: PfPart): Promise<PfRuleInfo[]> {
    const list: PfRuleInfo[] = [];
    for (;;) {
      const { total, rules } = await this.#call('DIOCGETRULES', {
        anchor,
        part,
        first: list.length,
        count: 1000,
      });
      list.push(...rules);
      if (list.length >= total || rules.length === 0) return list;
    }
  }

  #textOf(rule: PfRule): string {
    return printRule(rule, this.#options.environment, { generation: this.#options.generation }).trim();
  }

  #shadowed(): WhatIfReport['shadowed'] {
    return Object.entries(this.#ruleSet.anchors).flatMap(([anchor, { filter }]) =>
      shadowedRules(filter).map(({ rule, by }) => {
        const ref = (number: number): RuleRef => ({
          part: 'filter',
          anchor,
          number,
          line: filter[number]!.line,
        });
        return { rule: ref(rule), by: ref(by) };
      }),
    );
  }
}

function keyOf(rule: RuleRef | undefined): string {
  return rule === undefined ? '' : `${rule.part} ${rule.anchor} ${rule.number}`;
}

function refOf({ part, anchor, number, line }: RuleRef): RuleRef {
  return { part, anchor, number, line };
}
