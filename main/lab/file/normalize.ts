/**
 * From a checked lab to what the engine runs: defaults filled in, quantities in base units, link ends resolved.
 */
import { switchPorts } from './draft.ts';
import { isDirectionKey, parseCapturePoint, parseEndpoint, type EndpointText } from './endpoint.ts';
import { parseHostAddress } from './ipv4.ts';
import { readDirection } from './link-check.ts';
import type {
  Impairments,
  Lab,
  LabImpairments,
  LabLink,
  LinkEnd,
  NormalLab,
  NormalLink,
  NormalNode,
  NormalSwitch,
  StackVariant,
} from './model.ts';
import {
  DEFAULT_AGEING,
  DEFAULT_BAUD,
  DEFAULT_QUEUE,
  DEFAULT_SWITCH_PRIORITY,
  STACK_VARIANTS,
} from './schema.ts';
import { parseDuration, parsePercent, parseRate, type Quantity } from './units.ts';

/**
 * Makes the normal form.
 * @param lab a lab in which neither the schema nor the cross-checks found a problem; others are an error of the caller
 */
export function normalize(lab: Lab): NormalLab {
  const switches = new SwitchPorts(lab);
  const links = Object.entries(lab.links ?? {}).map(([name, link]) =>
    normalizeLink(name, link, lab, switches),
  );
  return {
    name: lab.name,
    description: lab.description ?? '',
    nodes: Object.entries(lab.nodes).map(([name, node]) => normalizeNode(name, node)),
    ports: Object.entries(lab.ports ?? {}).map(([name, port]) => ({
      name,
      tap: port.tap,
      address: port.address === undefined ? undefined : must(parseHostAddress(port.address)),
      persist: port.persist ?? false,
    })),
    switches: Object.entries(lab.switches ?? {}).map(([name, item]) => normalizeSwitch(name, item, switches)),
    links,
    captures: Object.entries(lab.captures ?? {}).map(([name, capture]) => {
      const at = parseCapturePoint(capture.at);
      if (at === undefined) throw new Error(`capture ${name} was not checked`);
      return { name, at, file: capture.file, filter: capture.filter };
    }),
    view: {
      positions: Object.entries(lab.view?.positions ?? {}).map(([name, { x, y }]) => ({ name, x, y })),
      notes: lab.view?.notes ?? [],
    },
  };
}

function normalizeNode(name: string, node: Lab['nodes'][string]): NormalNode {
  const word = node.stack.split(/\s/)[0];
  const variant = STACK_VARIANTS.find((candidate): candidate is StackVariant => candidate === word);
  if (variant === undefined) throw new Error(`node ${name} was not checked`);
  return {
    name,
    variant,
    stackCommand: node.stack.trim(),
    interfaces: node.interfaces,
    startup: node.startup ?? [],
    env: Object.entries(node.env ?? {}).map(([variable, value]) => ({ name: variable, value })),
    hostname: node.hostname ?? name,
    files: Object.entries(node.files ?? {}).map(([path, content]) => ({ path, content })),
  };
}

function normalizeSwitch(
  name: string,
  item: NonNullable<Lab['switches']>[string],
  switches: SwitchPorts,
): NormalSwitch {
  return {
    name,
    ports: switches.portsOf(name),
    ageingNs: must(parseDuration(item.ageing ?? DEFAULT_AGEING)),
    stp: item.stp ?? false,
    priority: item.priority ?? DEFAULT_SWITCH_PRIORITY,
  };
}

/** Of the bits on a serial line with a start and a stop bit, those that are data. */
const DATA_BITS = 8;
const LINE_BITS = 10;

function normalizeLink(name: string, link: LabLink, lab: Lab, switches: SwitchPorts): NormalLink {
  const ends = endsOf(link);
  const baud = link.serial === undefined ? undefined : (link.serial.baud ?? DEFAULT_BAUD);
  const overrides = new Map<number, LabImpairments>();
  for (const [key, value] of Object.entries(link)) {
    if (!isDirectionKey(key)) continue;
    const sender = readDirection(key, ends);
    if (typeof sender === 'string') throw new Error(`link ${name} was not checked: ${key} ${sender}`);
    overrides.set(sender, value as LabImpairments);
  }
  return {
    name,
    ends: ends.map((end) => resolveEnd(end, lab, switches)),
    directions: ends.map((_, index) => {
      const impairments = normalizeImpairments({ ...link, ...overrides.get(index) });
      return baud === undefined ? impairments : { ...impairments, rateBps: (baud * DATA_BITS) / LINE_BITS };
    }),
    mtu: link.mtu,
    baud,
  };
}

function normalizeImpairments(given: LabImpairments): Impairments {
  const read = (parse: (text: string) => Quantity, text: string | undefined): number =>
    text === undefined ? 0 : must(parse(text));
  return {
    delayNs: read(parseDuration, given.delay),
    jitterNs: read(parseDuration, given.jitter),
    lossP: read(parsePercent, given.loss),
    duplicateP: read(parsePercent, given.duplicate),
    reorderP: read(parsePercent, given.reorder),
    corruptP: read(parsePercent, given.corrupt),
    rateBps: read(parseRate, given.rate),
    queue: given.queue ?? DEFAULT_QUEUE,
  };
}

function resolveEnd(end: EndpointText, lab: Lab, switches: SwitchPorts): LinkEnd {
  if (Object.hasOwn(lab.nodes, end.name)) return { kind: 'node', node: end.name, interface: end.sub ?? '' };
  if (Object.hasOwn(lab.ports ?? {}, end.name)) return { kind: 'port', name: end.name };
  return { kind: 'switch', name: end.name, port: end.sub ?? switches.take(end.name) };
}

function endsOf(link: LabLink): EndpointText[] {
  return link.between.flatMap((text) => parseEndpoint(text) ?? []);
}

function must<T>(
  read: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string },
): T {
  if (!read.ok) throw new Error(`the lab was not checked: ${read.reason}`);
  return read.value;
}

/** Gives ends that name a switch only the next port that no link names. */
class SwitchPorts {
  readonly #declared: ReadonlyMap<string, readonly string[] | undefined>;
  readonly #used = new Map<string, Set<string>>();

  constructor(lab: Lab) {
    this.#declared = new Map(
      Object.entries(lab.switches ?? {}).map(([name, item]) => [name, switchPorts(item.ports)]),
    );
    for (const end of Object.values(lab.links ?? {}).flatMap(endsOf)) {
      if (end.sub !== undefined) this.#usedOf(end.name).add(end.sub);
    }
  }

  /** Takes the next free port of a switch. */
  take(name: string): string {
    const used = this.#usedOf(name);
    const free = this.#declared.get(name)?.find((port) => !used.has(port)) ?? firstFreeNumber(used);
    used.add(free);
    return free;
  }

  /** The declared ports, or those that the links took. */
  portsOf(name: string): readonly string[] {
    return this.#declared.get(name) ?? [...this.#usedOf(name)];
  }

  #usedOf(name: string): Set<string> {
    const used = this.#used.get(name) ?? new Set();
    this.#used.set(name, used);
    return used;
  }
}

function firstFreeNumber(used: ReadonlySet<string>): string {
  let number = used.size + 1;
  while (used.has(String(number))) number++;
  return String(number);
}
