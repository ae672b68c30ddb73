/** The packet filters of the nodes of a lab, as windows read and change them. */
import type { PfEnvironment } from '../../../../stack/filter/pf/environment.ts';
import { collector, nullSink } from '../../../../stack/kernel/byte-stream.ts';
import type { LabNode } from '../../../../stack/kernel/process.ts';
import { runCommandLine } from '../../../../stack/utilities/shell/shell.ts';
import type { FilterHost } from '../../../api/filter-host.ts';
import type {
  Decision,
  FilterCheck,
  FilterFile,
  FilterLoad,
  FilterStatus,
  FilterWhatIf,
  FilterWords,
  Hits,
  StatePage,
  StateQuery,
  WhatIfQuery,
} from '../../../api/filter-model.ts';
import type { Journey } from '../../../api/model.ts';
import type { RunningLab } from '../../lab.ts';
import type { JourneyStore } from '../journey-store.ts';
import { runWhatIf } from '../../what-if/job.ts';
import type { PacketRing, RawPacket } from '../packet-ring.ts';
import { environmentOf, knownWords } from './environment.ts';
import { decisionsOf, hitsOf } from './hits.ts';
import { PfDevice, isAbsent, pfModule } from './pf-device.ts';
import { PF_CONF, readNodeFile, writeNodeFile } from './rule-files.ts';
import { RuleSets, checkOf, readText, signatureOf } from './rule-sets.ts';
import { readStates } from './state-list.ts';
import { emptyReading, readStatus } from './status.ts';
import type { PfReading } from './status.ts';
import { captureOf, shownReport } from './what-if.ts';

/** What the filters have to know of their host. */
export interface FilterScene {
  /** The lab that runs, if one does. */
  running(): RunningLab | undefined;
  readonly ring: PacketRing;
  readonly journeys: JourneyStore;
  journey(number: number, capture?: string): Journey | undefined;
  /** Packets of an opened capture. @throws Error when there is none of that name. */
  captured(capture: string): Iterable<RawPacket>;
  /** Capture points that see what crosses an interface of a node: its link. */
  pointsOf(node: string, ifname: string): readonly string[];
}

const NOTHING_TRIED: FilterWhatIf = {
  problems: [],
  total: 0,
  passed: 0,
  blocked: 0,
  ignored: 0,
  listed: 0,
  packets: [],
  rules: [],
  untouched: [],
  shadowed: [],
};

/** True if the live list has a packet of a capture point. */
function seenAt(ring: PacketRing, point: string): boolean {
  for (let number = ring.first; number < ring.next; number++)
    if (ring.raw(number).point === point) return true;
  return false;
}

const ANY = { af: 'inet', address: '0.0.0.0', length: 0 } as const;

export class NodeFilters implements FilterHost {
  readonly #scene: FilterScene;
  /** What windows have loaded, and what was last read: of the nodes of one run. */
  #ruleSets = new WeakMap<LabNode, RuleSets>();
  readonly #readings = new WeakMap<LabNode, PfReading>();

  constructor(scene: FilterScene) {
    this.#scene = scene;
  }

  async status(name: string): Promise<FilterStatus> {
    const node = this.#scene.running()?.nodes.get(name);
    if (node === undefined) return shown(name, emptyReading('off'), false);
    const sets = this.#setsOf(node);
    if (this.#isPaused()) return shown(name, this.#readings.get(node) ?? emptyReading('off'), true, sets);
    const reading = await this.#read(node);
    this.#readings.set(node, reading);
    return shown(name, reading, false, sets);
  }

  async #read(node: LabNode): Promise<PfReading> {
    const port = node.stacks.get('');
    if (port === undefined) return emptyReading('off');
    try {
      return await readStatus(new PfDevice(port), this.#environment(node.name));
    } catch (error) {
      if (isAbsent(error)) return emptyReading('absent');
      throw error;
    }
  }

  async mount(name: string): Promise<void> {
    const node = this.#node(name);
    const port = node.stacks.get('');
    if (port === undefined) throw new Error(`${name}: no network manager runs on this node; start one first`);
    const stderr = collector();
    const line = `mount -T io-pkt ${pfModule(port)}.so`;
    const status = await runCommandLine(node, line, { stdout: nullSink, stderr });
    if (status !== 0) throw new Error(`${name}: ${stderr.text().trim()}`);
  }

  async setEnabled(name: string, enabled: boolean): Promise<void> {
    const { call } = this.#device(name);
    await call(enabled ? 'DIOCSTART' : 'DIOCSTOP', {});
  }

  async file(name: string): Promise<FilterFile> {
    return { path: PF_CONF, text: (await readNodeFile(this.#node(name), PF_CONF)) ?? null };
  }

  async save(name: string, text: string): Promise<void> {
    await writeNodeFile(this.#node(name), PF_CONF, text);
  }

  async check(name: string, text: string): Promise<FilterCheck> {
    const node = this.#scene.running()?.nodes.get(name);
    const generation = (node && this.#readings.get(node)?.generation) ?? '3.7';
    return checkOf(
      await readText(text, this.#environment(name), generation, (path) =>
        node === undefined ? Promise.resolve(undefined) : readNodeFile(node, path),
      ),
    );
  }

  async load(name: string, text: string): Promise<FilterLoad> {
    const node = this.#node(name);
    const device = this.#device(name);
    const { generation } = await device.call('DIOCGETGENERATION', {});
    const read = await readText(text, this.#environment(name), generation, (path) =>
      readNodeFile(node, path),
    );
    const check = checkOf(read);
    if ('errors' in read) return { ...check, loaded: false };
    await this.#setsOf(node).load(device, text, read, async () => {
      const { rules, rulesTotal } = await this.#read(node);
      return signatureOf(rules, rulesTotal);
    });
    return { ...check, loaded: true };
  }

  async unload(name: string): Promise<void> {
    await this.#setsOf(this.#node(name)).unload(this.#device(name));
  }

  async undo(name: string): Promise<void> {
    await this.#setsOf(this.#node(name)).undo(this.#device(name));
  }

  async loadedText(name: string): Promise<string | undefined> {
    const node = this.#node(name);
    const { rules, rulesTotal } = this.#isPaused()
      ? (this.#readings.get(node) ?? emptyReading('off'))
      : await this.#read(node);
    return this.#setsOf(node).textOf(signatureOf(rules, rulesTotal));
  }

  async whatIf(query: WhatIfQuery): Promise<FilterWhatIf> {
    const { node: name, text, interface: ifname, direction, capture } = query;
    const { interfaces } = this.#environment(name);
    const { packets, numbers } =
      capture === undefined
        ? this.#livePackets(name, ifname)
        : { packets: this.#scene.captured(capture), numbers: undefined };
    const bytes = captureOf(packets);
    const job = {
      file: PF_CONF,
      generation: '3.7',
      interfaces,
      capture: bytes,
      interface: ifname,
      direction,
      files: {},
    } as const;
    const result = await runWhatIf({ ...job, text });
    if ('errors' in result) return { ...NOTHING_TRIED, problems: checkOf(result).problems };
    const loaded = query.againstLoaded ? await this.loadedText(name) : undefined;
    if (query.againstLoaded && loaded === undefined)
      throw new Error('the rules that are loaded are not from this window: there is no text to compare with');
    const before = loaded === undefined ? undefined : await runWhatIf({ ...job, text: loaded });
    return shownReport(result, before === undefined || 'errors' in before ? undefined : before, numbers);
  }

  /** Packets of the live list that were seen at an interface of a node, or on its link, and their numbers. */
  #livePackets(node: string, ifname: string): { packets: RawPacket[]; numbers: number[] } {
    const { ring } = this.#scene;
    const points = [`${node}:${ifname}`, ...this.#scene.pointsOf(node, ifname)];
    const known = points.find((point) => seenAt(ring, point));
    const [packets, numbers]: [RawPacket[], number[]] = [[], []];
    for (let number = ring.first; number < ring.next; number++) {
      const packet = ring.raw(number);
      if (packet.point !== known) continue;
      packets.push(packet);
      numbers.push(number);
    }
    return { packets, numbers };
  }

  words(): FilterWords {
    return knownWords();
  }

  states(name: string, query: StateQuery): Promise<StatePage> {
    return readStates(this.#device(name), this.#environment(name), query);
  }

  async killStates(name: string, id?: string): Promise<number> {
    const { call } = this.#device(name);
    const { killed } =
      id === undefined ? await call('DIOCCLRSTATES', {}) : await call('DIOCKILLSTATES', { id, source: ANY });
    return killed;
  }

  hits(node: string, rule: number): Hits {
    this.#scene.running()?.journeys.drain();
    return hitsOf(this.#scene.ring, this.#scene.journeys, node, rule);
  }

  decisions(number: number, capture?: string): readonly Decision[] | undefined {
    const journey = this.#scene.journey(number, capture);
    return journey === undefined ? undefined : decisionsOf(journey.stations);
  }

  #node(name: string): LabNode {
    const running = this.#scene.running();
    if (running === undefined) throw new Error(`${name}: the lab does not run; run it first`);
    const node = running.nodes.get(name);
    if (node === undefined) throw new Error(`the lab has no node "${name}"`);
    return node;
  }

  /** @throws Error while nothing can be asked of the node's stack. */
  #device(name: string): PfDevice {
    const port = this.#node(name).stacks.get('');
    if (port === undefined) throw new Error(`${name}: no network manager runs on this node; start one first`);
    if (this.#isPaused()) throw new Error('the time of the lab stands still; let it go on first');
    return new PfDevice(port);
  }

  #isPaused(): boolean {
    return this.#scene.running()?.engine.virtual?.paused === true;
  }

  #environment(name: string): PfEnvironment {
    return environmentOf(this.#scene.running()?.interfacesOf(name) ?? []);
  }

  #setsOf(node: LabNode): RuleSets {
    const known = this.#ruleSets.get(node);
    if (known !== undefined) return known;
    const sets = new RuleSets();
    this.#ruleSets.set(node, sets);
    return sets;
  }
}

function shown(node: string, reading: PfReading, paused: boolean, sets?: RuleSets): FilterStatus {
  const undo = sets?.undoText;
  const text = sets?.textOf(signatureOf(reading.rules, reading.rulesTotal));
  return { node, ...reading, paused, fromWindow: text !== undefined, ...(undo !== undefined && { undo }) };
}
