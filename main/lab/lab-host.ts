/**
 * The engine behind a window: one lab, its recent packets, its consoles and its logs, as host applications (Electron, the
 * web host) are offered them. Starting and stopping take their turns: there is one memory.
 */
import { basename } from 'node:path';
import type { JourneyChoice } from '../../stack/net/journey.ts';
import { interfaceName } from '../../stack/net/ifnet.ts';
import type { ExpressionHost, FilterHost } from '../api/filter-host.ts';
import type { LabHostFactory, LabConsole, OwnedLabHost, Unsubscribe } from '../api/lab-host.ts';
import type {
  ConsoleSize,
  ExportedFile,
  Journey,
  LabDescription,
  LabExample,
  LabText,
  LogLine,
  OpenedCapture,
  PacketBatch,
  PacketDetail,
  PacketSubscription,
  PacketSummary,
  Problem,
  Rates,
  RunState,
  TimeAction,
  TimeMode,
} from '../api/model.ts';
import { LINKTYPE_ETHERNET } from '../capture/link-type.ts';
import { loadLab } from './file/load.ts';
import type { LinkEnd, NormalLab, Problem as FileProblem } from './file/model.ts';
import { formatProblem, parseLab } from './file/parse.ts';
import type { ParsedLab } from './file/parse.ts';
import type { RunningLab } from './lab.ts';
import { keepPristine, resetMemory } from './time/memory-state.ts';
import { openNodeConsole } from './host/console.ts';
import { describeLab, liveSignature } from './host/describe.ts';
import { compileExpression, explainPacket } from './host/expressions.ts';
import { NodeFilters } from './host/filters/node-filters.ts';
import { readExamples } from './host/examples.ts';
import { parseJourneyChoice } from './journey-choice.ts';
import { exportRing } from './host/export.ts';
import { JourneyStore, shownJourney } from './host/journey-store.ts';
import { LabRun } from './host/lab-run.ts';
import { LiveCapture } from './host/live-capture.ts';
import { liveInterfaces } from './host/live-interfaces.ts';
import { logLines } from './host/log-lines.ts';
import { PacketFeed, packetChooser } from './host/packet-feed.ts';
import { detail } from './host/packet-ring.ts';
import type { RawPacket, RingLimits } from './host/packet-ring.ts';
import { controlTime, timeState } from './host/time-control.ts';
import { ViewedCaptures } from './host/viewed-captures.ts';

/** What is kept of a lab's traffic for the packet list. */
const RING: RingLimits = { packets: 5000, bytes: 64 * 1024 * 1024 };

/** Stations of journeys that are kept: about as many as so many packets pass. */
const MOST_STATIONS = 100_000;

/** Which packets are followed. */
interface Following {
  readonly text: string;
  readonly choice: JourneyChoice;
}

/** The lab that is open, whether it runs or not. */
interface OpenLab {
  readonly lab: NormalLab;
  readonly file: string;
  readonly warnings: readonly Problem[];
}

/**
 * Opens the lab in a file and starts it. If it cannot be started (a TAP that may not be opened, say) the host is there all the same: the
 * lab is `faulted` and its description says why.
 */
export const createLabHost: LabHostFactory = async (labPath, modules = []) => {
  if (labPath === undefined) return new LabEngineHost(undefined, modules);
  const parsed = await loadLab(labPath);
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  const host = new LabEngineHost(openLab(parsed, labPath), modules);
  await host.start().catch(() => undefined);
  return host;
};

function openLab(parsed: Extract<ParsedLab, { ok: true }>, file: string): OpenLab {
  return {
    lab: parsed.lab,
    file,
    warnings: parsed.warnings.map((problem) => shownProblem(problem, 'warning')),
  };
}

function shownProblem({ message, line, column }: FileProblem, severity: Problem['severity']): Problem {
  return { severity, message, line, column };
}

class LabEngineHost implements OwnedLabHost {
  #open: OpenLab | undefined;
  readonly #modules: readonly string[];
  #run: LabRun | undefined;
  /** The last run, whose logs can still be read when it is over. */
  #latest: LabRun | undefined;
  #capture: LiveCapture | undefined;
  #state: RunState = 'stopped';
  #timeMode: TimeMode = 'real';
  /** What went wrong in this run. */
  #faults: Problem[] = [];
  #revision = 1;
  #signature = 0;
  /** Lab time when the last run ended, ns. */
  #endTime = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #ended = false;
  /** The lab whose packets the ring has. */
  #ringOwner: OpenLab | undefined;
  readonly #feed = new PacketFeed(RING, () => this.#followReaders());
  readonly #captures = new ViewedCaptures();
  readonly #journeys = new JourneyStore(MOST_STATIONS);
  #following: Following | undefined;
  readonly filters: FilterHost = new NodeFilters({
    running: () => this.#run?.running,
    ring: this.#feed.ring,
    journeys: this.#journeys,
    journey: (number, capture) => this.journey(number, capture),
    captured: (capture) => this.#captures.packets(capture),
    pointsOf: (node, ifname) => this.#linksAt(node, ifname),
  });
  readonly expressions: ExpressionHost = {
    compile: (expression, { point, capture, optimize = true } = {}) => {
      const linkType = capture === undefined ? this.#linkTypeAt(point) : this.#captures.linkType(capture);
      return compileExpression(expression, linkType, optimize);
    },
    explain: (expression, number, { capture, optimize = true } = {}) => {
      const packet = this.#rawPacket(number, capture);
      return packet === undefined ? undefined : explainPacket(expression, packet, optimize);
    },
    select: (expression, capture) => this.#captures.select(capture, expression),
  };

  constructor(open: OpenLab | undefined, modules: readonly string[]) {
    this.#open = open;
    this.#modules = modules;
  }

  describe(): LabDescription {
    this.#noticeChanges();
    const parts =
      this.#open === undefined
        ? { name: 'no lab', nodes: [], switches: [], ports: [], links: [] }
        : { ...describeLab(this.#open.lab, this.#run?.running), file: this.#open.file };
    return {
      ...parts,
      timeMode: this.#timeMode,
      state: this.#state,
      revision: this.#revision,
      ...(this.#following !== undefined && { journeys: this.#following.text }),
      problems: [...(this.#open?.warnings ?? []), ...this.#faults],
    };
  }

  rates(): Rates {
    this.#noticeChanges();
    const now = this.#run?.time() ?? this.#endTime;
    const virtual = this.#run?.running.engine.virtual;
    this.#feed.countLost(this.#capture?.newDrops() ?? 0);
    return {
      revision: this.#revision,
      state: this.#state,
      time: String(Math.round(now)),
      ...(virtual !== undefined && { virtual: timeState(virtual) }),
      ...(this.#run?.rates(now) ?? { links: [], interfaces: [], nodes: [] }),
    };
  }

  /** Raises the revision when the interfaces, addresses or carriers are not as they were at the last look. */
  #noticeChanges(): void {
    const signature = this.#run === undefined ? 0 : liveSignature(this.#run.running);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#revision++;
    this.#followReaders();
  }

  start(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  stop(): Promise<void> {
    return this.#inTurn(() => this.#stop());
  }

  restart(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#stop();
      await this.#start();
    });
  }

  openLab({ name, text }: LabText): Promise<readonly Problem[]> {
    const parsed = parseLab(text, name);
    if (!parsed.ok) return Promise.resolve(parsed.problems.map((problem) => shownProblem(problem, 'error')));
    return this.#inTurn(() => this.#replace(openLab(parsed, basename(name))));
  }

  examples(): Promise<readonly LabExample[]> {
    return readExamples();
  }

  setTimeMode(mode: TimeMode): Promise<void> {
    return this.#inTurn(async () => {
      const [before, ran] = [this.#timeMode, this.#state === 'running'];
      if (mode === before) return;
      await this.#stop();
      this.#timeMode = mode;
      this.#revision++;
      if (!ran) return;
      try {
        await this.#start();
      } catch (error) {
        this.#timeMode = before;
        await this.#start();
        throw error;
      }
    });
  }

  async controlTime(action: TimeAction): Promise<void> {
    const { engine, captures } = this.#runningLab();
    if (engine.virtual === undefined)
      throw new Error('the lab runs in real time, which nobody can control; switch to virtual time');
    const work = controlTime(engine.virtual, action);
    // How long that takes is up to the speed; only what is wrong with it is known at once.
    await (action.kind === 'to' ? Promise.race([work, Promise.resolve()]) : work);
    captures.drain();
  }

  #runningLab(): RunningLab {
    if (this.#run === undefined) throw new Error(`the lab is ${this.#state}; run it to control its time`);
    return this.#run.running;
  }

  capturePoints(): readonly string[] {
    const running = this.#run?.running;
    if (running === undefined) return (this.#open?.lab.links ?? []).map(({ name }) => `link:${name}`);
    const links = [...running.links.keys()].map((name) => `link:${name}`);
    const interfaces = [...running.nodes.keys()].flatMap((node) =>
      liveInterfaces(running, node).map((ifp) => `${node}:${interfaceName(ifp)}`),
    );
    return [...links, ...interfaces];
  }

  subscribePackets(filter: PacketSubscription, onBatch: (batch: PacketBatch) => void): Unsubscribe {
    return this.#feed.read(filter, onBatch);
  }

  packet(number: number, capture?: string): PacketDetail | undefined {
    const packet = this.#rawPacket(number, capture);
    return packet === undefined ? undefined : detail(packet, number);
  }

  #rawPacket(number: number, capture: string | undefined): RawPacket | undefined {
    if (capture !== undefined) return this.#captures.raw(capture, number);
    const { ring } = this.#feed;
    return ring.has(number) ? ring.raw(number) : undefined;
  }

  /** LINKTYPE number of what is seen at a point; that of Ethernet where there is no such point. */
  #linkTypeAt(point: string | undefined): number {
    const place = this.#run?.running.places().find(({ name }) => name === point);
    return place?.linkType ?? LINKTYPE_ETHERNET;
  }

  /** Capture points of the links that an interface of a node is on. */
  #linksAt(node: string, ifname: string): string[] {
    const links = this.#run?.running.lab.links ?? [];
    const isHere = (end: LinkEnd): boolean =>
      end.kind === 'node' && end.node === node && end.interface === ifname;
    return links.filter(({ ends }) => ends.some(isHere)).map(({ name }) => `link:${name}`);
  }

  followPackets(text: string | undefined): void {
    this.#following = text === undefined ? undefined : readFollowing(text);
    this.#revision++;
    this.#run?.running.journeys.follow(this.#following?.choice);
  }

  journey(number: number, capture?: string): Journey | undefined {
    if (capture !== undefined) return this.#captures.journey(capture, number);
    const { ring } = this.#feed;
    const journey = ring.has(number) ? ring.raw(number).journey : 0;
    if (journey === 0) return undefined;
    this.#run?.running.journeys.drain();
    return shownJourney(this.#journeys.stationsOf(journey), this.#journeys.lost);
  }

  clearPackets(): void {
    this.#feed.ring.clear();
    this.#journeys.clear();
  }

  exportPackets(points: readonly string[], filter?: string): Promise<ExportedFile> {
    const name = this.#open?.lab.name ?? 'packets';
    const wanted = packetChooser({ points, filter });
    return Promise.resolve(exportRing(this.#feed.ring, this.#journeys, wanted, name));
  }

  openCapture(name: string, bytes: Uint8Array): Promise<OpenedCapture> {
    return this.#captures.open(name, bytes);
  }

  captureSummaries(capture: string, from: number, count: number): readonly PacketSummary[] {
    return this.#captures.summaries(capture, from, count);
  }

  closeCapture(capture: string): void {
    this.#captures.close(capture);
  }

  openConsole(name: string, size: ConsoleSize): LabConsole {
    if (this.#run === undefined)
      throw new Error(`${name}: the lab is ${this.#state}; run it to open a console`);
    const node = this.#run.running.nodes.get(name);
    if (node === undefined) throw new Error(`the lab has no node "${name}"`);
    return openNodeConsole(node, size);
  }

  log(node?: string): readonly LogLine[] {
    const nodes = this.#latest?.running.nodes;
    if (nodes === undefined) return [];
    if (node === undefined) return logLines(nodes.values());
    const one = nodes.get(node);
    return one === undefined ? [] : logLines([one]);
  }

  async shutdown(): Promise<void> {
    this.#ended = true;
    await this.#inTurn(() => this.#stop());
    this.#feed.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #start(): Promise<void> {
    if (this.#run !== undefined || this.#ended) return;
    if (this.#open === undefined) throw new Error('no lab is open; open a lab file or an example first');
    this.#faults = [];
    keepPristine();
    // What a lab in virtual time does must not depend on what ran before it.
    if (this.#timeMode === 'virtual') resetMemory();
    try {
      this.#run = this.#latest = await LabRun.begin(this.#open.lab, this.#modules, this.#timeMode, {
        onBuilt: (running) => {
          // Packets of another lab go only now: what stands in the way of this one shows before.
          if (this.#ringOwner !== this.#open) this.clearPackets();
          this.#ringOwner = this.#open;
          running.journeys.follow(this.#following?.choice);
          this.#capture = new LiveCapture(running, this.#journeys, (packet) => this.#feed.add(packet));
        },
        onStack: () => this.#followReaders(),
        onProblem: (problem) => this.#addFault(problem),
      });
      this.#setState('running');
      await this.#run.started();
    } catch (error) {
      await this.#stop();
      this.#addFault({ severity: 'error', message: messageOf(error) });
      this.#setState('faulted');
      throw error;
    }
  }

  async #stop(): Promise<void> {
    const run = this.#run;
    this.#capture?.stop();
    this.#capture = undefined;
    if (run !== undefined) this.#endTime = run.time();
    this.#run = undefined;
    this.#setState('stopped');
    await run?.stop();
  }

  /** Puts another lab in the place of the present one; if that cannot be started, the present one comes back. */
  async #replace(next: OpenLab): Promise<readonly Problem[]> {
    const [before, ran] = [this.#open, this.#state === 'running'];
    await this.#stop();
    this.#open = next;
    try {
      await this.#start();
      return [...next.warnings, ...this.#faults];
    } catch (error) {
      this.#open = before;
      this.#faults = [];
      this.#setState('stopped');
      if (ran) await this.#start();
      return [{ severity: 'error', message: messageOf(error) }];
    }
  }

  #followReaders(): void {
    this.#capture?.setInterfaces(this.#feed.pointsWanted());
  }

  #addFault(problem: Problem): void {
    this.#faults = [...this.#faults, problem];
    this.#revision++;
  }

  #setState(state: RunState): void {
    this.#state = state;
    this.#revision++;
  }
}

/** @throws Error that says what is wrong with the text. */
function readFollowing(text: string): Following {
  const read = parseJourneyChoice(text);
  if (!read.ok) throw new Error(`which packets to follow: it ${read.reason}`);
  return { text: text.trim(), choice: read.value };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
