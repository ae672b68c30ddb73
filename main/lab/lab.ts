/**
 * A running lab: nodes with their stacks, links, switches and ports, made from a lab file and given back as a whole. One at a time: there is one memory.
 */
import { freeTapThread, openTap } from '../../drivers/devnp-tap/open.ts';
import { whileTapsHeld } from '../../drivers/devnp-tap/device.ts';
import type { TapPort } from '../../drivers/devnp-tap/open.ts';
import { failLostRequests, recoverFrom } from '../../stack/io-pkt/recovery.ts';
import { freeBuried, hasBuried } from '../../stack/io-pkt/graveyard.ts';
import { quietFaulted } from '../../stack/io-pkt/module-faults.ts';
import { nullSink } from '../../stack/kernel/byte-stream.ts';
import type { ByteSink } from '../../stack/kernel/byte-stream.ts';
import { mkdir, writeFile } from '../../stack/kernel/files.ts';
import { createNode } from '../../stack/kernel/node.ts';
import { spawn } from '../../stack/kernel/process.ts';
import type { LabNode, StackPort } from '../../stack/kernel/process.ts';
import { setInterfaceListener } from '../../stack/kernel/stack-client.ts';
import { debugPool } from '../../stack/memory/memory.ts';
import { leakReport } from '../../stack/memory/mbuf.ts';
import { findInterface, ifnets, interfaceName } from '../../stack/net/ifnet.ts';
import type { Ifnet } from '../../stack/net/ifnet.ts';
import { drainLog } from '../../stack/net/log.ts';
import type { StackLogLine } from '../../stack/net/log.ts';
import { resetJourneys } from '../../stack/net/journey.ts';
import type { JourneyChoice } from '../../stack/net/journey.ts';
import { hasFaults } from '../../stack/net/module-record.ts';
import { freePlug, newPlug, plugs } from '../../stack/net/plug.ts';
import { stacks } from '../../stack/net/stack.ts';
import { SLOG } from '../../stack/runtime/messages/severity.ts';
import { sleepNs } from '../../stack/runtime/timers.ts';
import '../../stack/utilities/programs.ts';
import { runCommandLine } from '../../stack/utilities/shell/shell.ts';
import { captureHub, linkTypeOf } from './captures.ts';
import type { CaptureHub, CapturePlace } from './captures.ts';
import { linkTypeOfLink } from './file/pseudo-interfaces.ts';
import { startEngine } from './engine.ts';
import type { Engine, TimeMode } from './engine.ts';
import { journeyHub } from './journeys.ts';
import type { JourneyHub } from './journeys.ts';
import { connectLink, disconnectLink } from './link.ts';
import type { LabLinkRecord } from './link.ts';
import { moduleLibrary } from './module-library.ts';
import type { ModuleLibrary } from './module-library.ts';
import { createSwitch, destroySwitch, startSwitch } from './switch.ts';
import type { LabSwitch } from './switch.ts';
import { serveSerialPorts } from './serial-ports.ts';
import type { SerialPort } from './serial-ports.ts';
import { StackKeeper } from './stack-keeper.ts';
import { interfacesMade } from './stack-modules.ts';
import type { VirtualTime } from './time/virtual-time.ts';
import type { LinkEnd, NormalLab, NormalNode, NormalPort } from './file/model.ts';

export interface LabOptions {
  readonly time: TimeMode;
  readonly seed: number;
  readonly threads?: number;
  /** Time in virtual mode, if it is to be controlled. */
  readonly virtual?: VirtualTime;
  /** Packets to follow from the start. */
  readonly journey?: JourneyChoice;
  /** Files and folders with modules from outside: code that runs with all rights of the program. */
  readonly modules?: readonly string[];
  /** Called when links and nodes are there and no stack runs yet: capturing on links may begin. */
  readonly onBuilt?: (lab: RunningLab) => void;
  /**
   * Called when a node has new interfaces: a stack was started, the first one or a further one, and nothing runs on it yet; or a running one has got another
   * interface. Capturing on them may begin.
   */
  readonly onStack?: (lab: RunningLab, node: string) => void;
  /** Told of a start-up command that failed, and of what it printed on its standard error. */
  readonly onStartupFailure?: (node: string, line: string, status: number) => void;
  /** Where the output of start-up commands goes. */
  readonly output?: (node: string, channel: 'stdout' | 'stderr') => ByteSink;
}

export interface RunningLab {
  readonly lab: NormalLab;
  readonly engine: Engine;
  readonly nodes: ReadonlyMap<string, LabNode>;
  readonly links: ReadonlyMap<string, LabLinkRecord>;
  readonly switches: ReadonlyMap<string, LabSwitch>;
  readonly ports: ReadonlyMap<string, TapPort>;
  readonly captures: CaptureHub;
  readonly journeys: JourneyHub;
  /** The capture places there are now: all links, and all interfaces. */
  places(): CapturePlace[];
  /** The interface of a node by name, in whichever of its stacks it is. */
  findInterface(node: string, name: string): Ifnet | undefined;
  /** All interfaces of a node. */
  interfacesOf(node: string): Ifnet[];
  /** True while one of a node's stacks was lost to a fault and is not back yet. */
  isFaulted(node: string): boolean;
  /** Ends everything and gives the memory back. */
  stop(): Promise<void>;
}

/** In real time, daemons of start-up lines get so long to begin listening, ns. */
const SETTLE_NS = 20e6;

/** Starts a lab. Rejects with a message for the user if a TAP cannot be had or the memory has no room; nothing is left behind then. */
export async function startLab(lab: NormalLab, options: LabOptions): Promise<RunningLab> {
  if (options.time === 'virtual' && lab.ports.length > 0) {
    throw new Error(`port ${lab.ports[0]!.name}: a lab with ports to the host runs in real time only`);
  }
  const builder = new LabBuilder(lab, options);
  try {
    return await builder.start();
  } catch (error) {
    await builder.stop();
    throw error;
  }
}

class LabBuilder {
  readonly #lab: NormalLab;
  readonly #options: LabOptions;
  readonly #nodes = new Map<string, LabNode>();
  readonly #keepers = new Map<string, StackKeeper>();
  readonly #plugs = new Map<string, number>();
  readonly #links = new Map<string, LabLinkRecord>();
  readonly #switches = new Map<string, LabSwitch>();
  readonly #ports = new Map<string, TapPort>();
  /** Nodes that start again after a fault, until they are through. */
  readonly #restarting = new Map<string, Promise<void>>();
  #engine: Engine | undefined;
  #library: ModuleLibrary | undefined;
  #hub: CaptureHub | undefined;
  #journeys: JourneyHub | undefined;
  #running: RunningLab | undefined;
  #stopped = false;

  constructor(lab: NormalLab, options: LabOptions) {
    this.#lab = lab;
    this.#options = options;
  }

  async start(): Promise<RunningLab> {
    const { time, seed, threads, virtual } = this.#options;
    const onDeath = (thread: number, reason: string): void => this.#onDeath(thread, reason);
    resetJourneys();
    const started = await startEngine({
      time,
      seed,
      fetchCaptures: () => this.#fetchCaptures(),
      tidy: () => this.#tidy(),
      onDeath,
      ...(threads !== undefined && { threads }),
      ...(virtual !== undefined && { virtual }),
    });
    const journeys = journeyHub({ lab: this.#lab, nodes: this.#nodes, links: this.#links });
    const engine: Engine = {
      ...started,
      whileHeld: (work) =>
        started.whileHeld(() => {
          journeys.beforeChange();
          return work();
        }),
    };
    this.#engine = engine;
    this.#journeys = journeys;
    this.#library = moduleLibrary(this.#options.modules ?? [], (wanted) => engine.everyThread(wanted));
    this.#hub = captureHub((work) => engine.whileHeld(work));
    setInterfaceListener((stack) => this.#onInterfaces(stack));
    for (const port of this.#lab.ports) this.#ports.set(port.name, await this.#openPort(port));
    whileTapsHeld(() => engine.whileHeld(() => this.#build(engine)));
    journeys.follow(this.#options.journey);
    this.#running = this.#describe(engine, this.#hub, journeys);
    this.#options.onBuilt?.(this.#running);
    await Promise.all(this.#lab.nodes.map((node) => this.#startNode(node)));
    await sleepNs(time === 'virtual' ? 1 : SETTLE_NS);
    return this.#running;
  }

  #openPort(port: NormalPort): Promise<TapPort> {
    const address =
      port.address === undefined ? undefined : `${port.address.ip}/${port.address.prefixLength}`;
    const home = this.#engine!.nextHome();
    return openTap({
      name: port.tap,
      thread: freeTapThread(),
      home,
      ...(address !== undefined && { address }),
    });
  }

  #build(engine: Engine): void {
    this.#lab.switches.forEach((item, index) =>
      this.#switches.set(item.name, createSwitch(item, index, engine.nextHome())),
    );
    this.#lab.nodes.forEach((node, index) => this.#createNode(node, index, engine));
    for (const link of this.#lab.links) {
      const ends = link.ends.map((end) => this.#plugOf(end));
      const record = connectLink(link, ends, engine.nextHome());
      this.#links.set(link.name, record);
    }
    for (const item of this.#switches.values()) startSwitch(item);
  }

  #createNode(node: NormalNode, index: number, engine: Engine): void {
    const env = Object.fromEntries([
      ['HOSTNAME', node.hostname],
      ...node.env.map(({ name, value }) => [name, value] as const),
    ]) as Record<string, string>;
    const made = createNode({ name: node.name, env });
    const cards = new Map<string, number>();
    for (const name of node.interfaces) {
      const plug = newPlug();
      if (plug === 0) throw new Error(`node ${node.name}: no room for interface ${name} (ENOBUFS)`);
      this.#plugs.set(`${node.name}:${name}`, plug);
      cards.set(name, plug);
    }
    this.#nodes.set(node.name, made);
    this.#createSerialPorts(made);
    for (const complaint of this.#library!.complaints) made.log.write(SLOG.warning, 'lab', complaint);
    const keeper = new StackKeeper(made, index, cards, engine, this.#library!);
    keeper.onStack = () => {
      if (this.#running !== undefined) this.#options.onStack?.(this.#running, node.name);
    };
    this.#keepers.set(node.name, keeper);
  }

  /** The serial ports of a node: those that links name. */
  #createSerialPorts(node: LabNode): void {
    const ports = new Map<string, SerialPort>();
    for (const { baud, ends } of this.#lab.links) {
      for (const end of ends) {
        if (baud === undefined || end.kind !== 'node' || end.node !== node.name) continue;
        const plug = newPlug();
        if (plug === 0) throw new Error(`node ${node.name}: no room for port ${end.interface} (ENOBUFS)`);
        this.#plugs.set(`${node.name}:${end.interface}`, plug);
        ports.set(end.interface, { line: plug, baud });
      }
    }
    serveSerialPorts(node, ports);
  }

  #plugOf(end: LinkEnd): number {
    if (end.kind === 'node') return this.#plugs.get(`${end.node}:${end.interface}`)!;
    if (end.kind === 'switch') return this.#switches.get(end.name)!.plugs.get(end.port)!;
    return this.#ports.get(end.name)!.plug;
  }

  async #startNode(node: NormalNode): Promise<void> {
    await installFiles(this.#nodes.get(node.name)!, node);
    await this.#startUp(node);
  }

  /** Runs the command of a node's stack, then its start-up lines. */
  async #startUp(node: NormalNode): Promise<void> {
    const made = this.#nodes.get(node.name)!;
    const stdout = this.#options.output?.(node.name, 'stdout') ?? nullSink;
    const stderr = this.#options.output?.(node.name, 'stderr') ?? nullSink;
    for (const line of [node.stackCommand, ...node.startup]) {
      const status = await runCommandLine(made, line, { stdout, stderr });
      if (status === 0) continue;
      made.log.write(SLOG.error, 'startup', `'${line}' ended with status ${status}`);
      this.#options.onStartupFailure?.(node.name, line, status);
    }
  }

  #describe(engine: Engine, captures: CaptureHub, journeys: JourneyHub): RunningLab {
    return {
      lab: this.#lab,
      engine,
      nodes: this.#nodes,
      links: this.#links,
      switches: this.#switches,
      ports: this.#ports,
      captures,
      journeys,
      places: () => this.#places(),
      findInterface: (node, name) => this.#findInterface(node, name),
      interfacesOf: (node) => this.#interfacesOf(node),
      isFaulted: (node) => this.#restarting.has(node),
      stop: () => this.stop(),
    };
  }

  #findInterface(node: string, name: string): Ifnet | undefined {
    for (const { address } of this.#nodes.get(node)?.stacks.values() ?? []) {
      const found = findInterface(stacks.get(address), name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #interfacesOf(node: string): Ifnet[] {
    const list: Ifnet[] = [];
    for (const { address } of this.#nodes.get(node)?.stacks.values() ?? []) {
      for (let ptr = stacks.get(address).interfaces; ptr !== 0; ptr = ifnets.get(ptr).next)
        list.push(ifnets.get(ptr));
    }
    return list;
  }

  #places(): CapturePlace[] {
    const list: CapturePlace[] = [];
    for (const link of this.#lab.links) {
      const record = this.#links.get(link.name);
      if (record === undefined) continue;
      const linkType = linkTypeOfLink(link);
      list.push({ name: `link:${link.name}`, kind: 'link', ptr: record.ptr, linkType });
    }
    for (const node of this.#nodes.keys()) {
      for (const ifp of this.#interfacesOf(node)) {
        const name = `${node}:${interfaceName(ifp)}`;
        list.push({ name, kind: 'interface', ptr: ifp.ptr, linkType: linkTypeOf(ifp) });
      }
    }
    return list;
  }

  /** Hands on packets that were captured, and stations of journeys. */
  #fetchCaptures(): boolean {
    const captured = this.#hub?.drain() ?? false;
    return (this.#journeys?.drain() ?? false) || captured;
  }

  /** Writes what stacks had for the system log of their nodes, clears up after modules that were switched off, frees interfaces that were destroyed. */
  #tidy(): boolean {
    const any = drainLog((line) => this.#log(line));
    if (!hasBuried() && !hasFaults()) return any;
    this.#engine?.whileHeld(() => {
      quietFaulted();
      freeBuried();
    });
    return true;
  }

  /** The node that has a stack; undefined once it has ended. */
  #ownerOf(stack: number): { node: LabNode; port: StackPort } | undefined {
    for (const node of this.#nodes.values()) {
      const port = [...node.stacks.values()].find(({ address }) => address === stack);
      if (port !== undefined) return { node, port };
    }
    return undefined;
  }

  /** Writes a line of a stack into the log of its node. */
  #log({ stack, severity, source, text }: StackLogLine): void {
    const owner = this.#ownerOf(stack);
    owner?.node.log.write(severity, source === '' ? owner.port.variant : source, text);
  }

  #onInterfaces(stack: number): void {
    interfacesMade(stack);
    const owner = this.#ownerOf(stack);
    if (owner !== undefined && this.#running !== undefined)
      this.#options.onStack?.(this.#running, owner.node.name);
  }

  /** A worker died: every node is told, those whose stack it was working on start again. */
  #onDeath(thread: number, reason: string): void {
    const lost = recoverFrom(thread);
    for (const node of this.#lab.nodes) {
      const { log, stacks: ports } = this.#nodes.get(node.name)!;
      const mine = [...ports.values()].filter(({ address }) => lost.includes(address));
      if (mine.length === 0) log.write(SLOG.warning, 'lab', `thread ${thread} ended: ${reason}`);
      for (const port of mine) {
        const text = `thread ${thread} ended while it held the stack context; restarting: ${reason}`;
        log.write(SLOG.critical, port.variant, text);
        this.#keepers.get(node.name)!.discard(port);
        failLostRequests(port.address);
      }
      if (mine.length > 0) this.#restart(node);
    }
  }

  /** Starts a node again, after what it may still be starting because of an earlier fault. */
  #restart(node: NormalNode): void {
    const before = this.#restarting.get(node.name) ?? Promise.resolve();
    const restarting = before.then(async () => {
      if (this.#stopped) return;
      await this.#startUp(node);
      if (this.#restarting.get(node.name) === restarting) this.#restarting.delete(node.name);
      this.#nodes.get(node.name)!.log.write(SLOG.notice, node.variant, 'restarted after a fault');
    });
    this.#restarting.set(node.name, restarting);
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    setInterfaceListener(undefined);
    for (const keeper of this.#keepers.values()) keeper.stopping = true;
    this.#engine?.windUp();
    await Promise.all([...this.#nodes.values()].map((node) => node.shutdown()));
    await this.#engine?.stop();
    whileTapsHeld(() => this.#tearDown());
    await Promise.all([...this.#ports.values()].map((port) => port.close()));
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.modulesClosed()));
    if (debugPool) expectNoLeaks();
  }

  /** Gives back what the lab had. The threads have ended. */
  #tearDown(): void {
    for (const keeper of this.#keepers.values()) keeper.destroyAll();
    freeBuried();
    for (const link of this.#links.values()) disconnectLink(link);
    for (const item of this.#switches.values()) destroySwitch(item);
    for (const plug of this.#plugs.values()) freePlug(plugs.get(plug));
  }
}

/** While the pool is debugged, a lab that keeps buffers when it ends is a fault. */
function expectNoLeaks(): void {
  const leaks = [...leakReport()].map(([owner, count]) => `${count} of ${owner}`);
  if (leaks.length > 0) throw new Error(`the lab has ended and kept buffers: ${leaks.join(', ')}`);
}

/** Puts the files of the lab file into a node's file system, with the directories they need. */
async function installFiles(node: LabNode, { files }: NormalNode): Promise<void> {
  if (files.length === 0) return;
  const install = spawn(
    node,
    async (self) => {
      for (const { path, content } of files) {
        const parts = path.split('/').slice(1, -1);
        for (let depth = 1; depth <= parts.length; depth++) {
          await mkdir(self, `/${parts.slice(0, depth).join('/')}`).catch(() => undefined);
        }
        await writeFile(self, path, content);
      }
      return 0;
    },
    { argv: ['install'] },
  );
  await install.exited;
}
