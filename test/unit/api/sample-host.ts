/** A lab host that does what a test tells it: the far side for tests of the contract and of the hosts. */
import type { ExpressionHost, FilterHost } from '../../../main/api/filter-host.ts';
import type { FilterStatus } from '../../../main/api/filter-model.ts';
import type { LabConsole, OwnedLabHost } from '../../../main/api/lab-host.ts';
import type {
  Journey,
  LabDescription,
  PacketBatch,
  PacketSummary,
  Rates,
  Station,
} from '../../../main/api/model.ts';

export interface SampleHost extends OwnedLabHost {
  /** What the host was asked to do, in order. */
  readonly calls: string[];
  /** Sends a batch to every subscriber. */
  emitPackets(packets: readonly PacketSummary[]): void;
  /** Lets the shell of the console that was opened last print. */
  print(text: string): void;
  exitShell(status: number): void;
  /** Changes the lab's name, as a change that windows must hear of. */
  rename(name: string): void;
  readonly packetSubscribers: number;
}

export function summary(number: number, overrides: Partial<PacketSummary> = {}): PacketSummary {
  return {
    number,
    time: `${number}000000`,
    point: 'link:wire',
    source: '10.0.0.1',
    destination: '10.0.0.2',
    protocol: 'ICMP',
    length: 98,
    info: 'Echo (ping) request',
    ...overrides,
  };
}

export function sampleLab(): LabDescription {
  const node = (name: string, address: string): LabDescription['nodes'][number] => ({
    name,
    stack: 'io-pkt-v4-hc',
    state: 'running',
    interfaces: [
      { name: 'en0', mac: '02:00:00:00:00:01', up: true, carrier: true, addresses: [address], mtu: 1500 },
    ],
  });
  return {
    name: 'two-nodes',
    timeMode: 'real',
    state: 'running',
    revision: 1,
    nodes: [node('alpha', '10.0.0.1/24'), node('beta', '10.0.0.2/24')],
    switches: [],
    ports: [],
    links: [
      {
        name: 'wire',
        ends: [
          { kind: 'node', name: 'alpha', interface: 'en0' },
          { kind: 'node', name: 'beta', interface: 'en0' },
        ],
        impairments: '1 ms',
      },
    ],
    problems: [],
  };
}

/** Through a router's fast path. */
export function sampleJourney(): Journey {
  const station = (node: string, place: string, name: string, text: string, time: number): Station => {
    return { time: String(1_000_000 + time), thread: 1, node, place, station: name, text, buffer: 0x4000 };
  };
  return {
    stations: [
      station('', 'link:wire', 'link', 'enters from alpha:en0', 0),
      station('router', 'router:en0', 'driverIn', 'received by the driver', 1000),
      station('router', 'router', 'flow', 'not taken, condition 8: TTL would reach 0', 1500),
    ],
    lost: 0,
  };
}

/** A PF with one rule. */
export function sampleFilter(node: string): FilterStatus {
  return {
    node,
    state: 'enabled',
    paused: false,
    generation: '3.7',
    seconds: 5,
    states: 1,
    stateLimit: 10_000,
    search: 9,
    insert: 1,
    removals: 0,
    reasons: [{ name: 'match', packets: 3 }],
    rules: [
      {
        part: 'filter',
        anchor: '',
        number: 0,
        line: 1,
        text: 'pass all keep state',
        action: 'pass',
        evaluations: 4,
        packets: 8,
        bytes: 800,
        states: 1,
        statesMade: 1,
      },
    ],
    rulesTotal: 1,
    anchors: [],
    tables: [],
    queues: [],
    fromWindow: false,
  };
}

/** Filters that take every text but `bad`. */
function sampleFilters(calls: string[]): FilterHost {
  const note =
    (call: string) =>
    async (node: string): Promise<void> =>
      void calls.push(`${call} ${node}`);
  const check = async (_node: string, text: string) =>
    text === 'bad'
      ? { problems: [{ severity: 'error' as const, message: 'syntax error', line: 1, column: 1 }], rules: 0 }
      : { problems: [], rules: 1 };
  return {
    status: async (node) => sampleFilter(node),
    mount: note('mount'),
    setEnabled: async (node, enabled) => void calls.push(`${enabled ? 'enable' : 'disable'} ${node}`),
    file: async () => ({ path: '/etc/pf.conf', text: 'pass all\n' }),
    save: note('save'),
    check,
    load: async (node, text) => {
      const checked = await check(node, text);
      const loaded = checked.problems.length === 0;
      if (loaded) calls.push(`load ${node}`);
      return { ...checked, loaded };
    },
    unload: note('unload'),
    undo: note('undo'),
    loadedText: async () => undefined,
    whatIf: async ({ node, text }) => {
      calls.push(`try ${node}`);
      const { problems } = await check(node, text);
      const counts = { total: 0, passed: 0, blocked: 0, ignored: 0, listed: 0 };
      return { problems, ...counts, packets: [], rules: [], untouched: [], shadowed: [] };
    },
    words: () => ({ services: ['http', 'ssh'], protocols: ['icmp', 'tcp', 'udp'] }),
    states: async () => ({ total: 0, read: 0, matched: 0, states: [] }),
    killStates: async (node, id) => {
      calls.push(`kill ${node} ${id ?? 'all'}`);
      return 1;
    },
    hits: () => ({ packets: [1], kept: 2, followed: 1 }),
    decisions: () => undefined,
  };
}

const sampleExpressions: ExpressionHost = {
  compile: (expression) =>
    expression === 'bad'
      ? { ok: false, error: { message: 'syntax error', column: 1 } }
      : { ok: true, linkType: 'EN10MB', listing: ['(000) ret      #262144'] },
  explain: () => undefined,
  select: () => [1],
};

export function createSampleHost(): SampleHost {
  const calls: string[] = [];
  const subscribers = new Set<(batch: PacketBatch) => void>();
  let lab = sampleLab();
  let paused = false;
  let output: (text: string) => void = () => undefined;
  let exit: (status: number) => void = () => undefined;

  const rates = (): Rates => ({
    revision: lab.revision,
    state: lab.state,
    time: '1000000000',
    ...(lab.timeMode === 'virtual' && { virtual: { paused, speed: 1, events: 42 } }),
    links: [],
    interfaces: [],
    nodes: lab.nodes.map(({ name }) => ({ name, logLines: 0 })),
  });
  const shell: LabConsole = {
    write: (text) => void calls.push(`write ${text}`),
    resize: ({ columns, rows }) => void calls.push(`resize ${columns}x${rows}`),
    onOutput: (listener) => {
      output = listener;
      return () => undefined;
    },
    onExit: (listener) => {
      exit = listener;
      return () => undefined;
    },
    close: () => void calls.push('close console'),
  };
  const record = (call: string) => async (): Promise<void> => {
    calls.push(call);
  };

  return {
    calls,
    describe: () => lab,
    rates,
    start: record('start'),
    stop: record('stop'),
    restart: record('restart'),
    openLab: async ({ name, text }) => {
      if (text === '') return [{ severity: 'error', message: `${name}: no nodes`, line: 3 }];
      lab = { ...lab, name: text, revision: lab.revision + 1 };
      return [];
    },
    examples: async () => [{ name: 'two-nodes', description: 'Two nodes', text: 'name: two-nodes\n' }],
    setTimeMode: async (timeMode) => {
      calls.push(`time ${timeMode}`);
      lab = { ...lab, timeMode, revision: lab.revision + 1 };
    },
    controlTime: async (action) => {
      calls.push(`time ${JSON.stringify(action)}`);
      if (action.kind === 'pause' || action.kind === 'resume') paused = action.kind === 'pause';
    },
    capturePoints: () => ['link:wire'],
    subscribePackets: (_filter, onBatch) => {
      subscribers.add(onBatch);
      return () => subscribers.delete(onBatch);
    },
    packet: (number) => (number === 1 ? { summary: summary(1), layers: [], bytes: 'AAEC' } : undefined),
    followPackets: (choice) => {
      if (choice === 'nonsense') throw new Error("which packets to follow: it has 'nonsense'");
      calls.push(`follow ${choice ?? 'none'}`);
      const { journeys: _before, ...rest } = lab;
      lab = { ...rest, ...(choice !== undefined && { journeys: choice }), revision: lab.revision + 1 };
    },
    journey: (number) => (number === 1 ? sampleJourney() : undefined),
    clearPackets: () => void calls.push('clear'),
    exportPackets: async () => ({ name: 'two-nodes.pcapng', packets: 0, data: '' }),
    openCapture: async (name, bytes) => ({ id: 'capture-1', name, packets: bytes.length }),
    captureSummaries: (_capture, from, count) =>
      Array.from({ length: count }, (_, i) => summary(from + i + 1)),
    closeCapture: (capture) => void calls.push(`close ${capture}`),
    filters: sampleFilters(calls),
    expressions: sampleExpressions,
    openConsole: (node) => {
      if (!lab.nodes.some(({ name }) => name === node)) throw new Error(`there is no node "${node}"`);
      calls.push(`console ${node}`);
      return shell;
    },
    log: () => [],
    shutdown: record('shutdown'),
    emitPackets: (packets) => {
      for (const subscriber of subscribers) subscriber({ packets, dropped: 0 });
    },
    print: (text) => output(text),
    exitShell: (status) => exit(status),
    rename: (name) => {
      lab = { ...lab, name, revision: lab.revision + 1 };
    },
    get packetSubscribers() {
      return subscribers.size;
    },
  };
}
