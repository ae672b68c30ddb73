/**
 * What can be made out of a lab that may still have problems: the names, interfaces and links that are well formed. The cross-checks work on
 * it, so that one mistake does not hide another; a part that is undefined is broken elsewhere and not checked further.
 */
import { isDirectionKey, parseEndpoint, type EndpointText } from './endpoint.ts';
import { isMapping } from './shape.ts';

export interface Draft {
  /** Interfaces by node. */
  readonly nodes: ReadonlyMap<string, readonly string[] | undefined>;
  /** Ports by switch; undefined = as many as needed. */
  readonly switches: ReadonlyMap<string, readonly string[] | undefined>;
  readonly ports: ReadonlyMap<
    string,
    { readonly tap: string | undefined; readonly address: string | undefined }
  >;
  readonly links: ReadonlyMap<string, DraftLink>;
  readonly captures: ReadonlyMap<
    string,
    {
      readonly at: string | undefined;
      readonly file: string | undefined;
      readonly filter: string | undefined;
    }
  >;
  /** False when nodes, switches or ports are not mappings at all: then no end can be looked up. */
  readonly namesKnown: boolean;
}

export interface DraftLink {
  /** Undefined entries are not endpoints at all. */
  readonly ends: readonly (EndpointText | undefined)[] | undefined;
  readonly keys: readonly string[];
  /** True for a serial line. */
  readonly serial: boolean;
  /** What it says of each direction: the keys, by the key of the direction. */
  readonly directionKeys: ReadonlyMap<string, readonly string[]>;
}

/** Reads what is well formed. */
export function readDraft(value: unknown): Draft {
  const lab = isMapping(value) ? value : {};
  return {
    nodes: mapEntries(lab.nodes, (node) => textList(isMapping(node) ? node.interfaces : undefined)),
    switches: mapEntries(lab.switches, (item) => switchPorts(isMapping(item) ? item.ports : undefined)),
    ports: mapEntries(lab.ports, (port) => ({ tap: textAt(port, 'tap'), address: textAt(port, 'address') })),
    links: mapEntries(lab.links, readLink),
    captures: mapEntries(lab.captures, (capture) => ({
      at: textAt(capture, 'at'),
      file: textAt(capture, 'file'),
      filter: textAt(capture, 'filter'),
    })),
    namesKnown: [lab.nodes, lab.switches ?? {}, lab.ports ?? {}].every(isMapping),
  };
}

/** The names of a switch's ports: 1 to n for a number. */
export function switchPorts(ports: unknown): readonly string[] | undefined {
  if (typeof ports !== 'number') return textList(ports);
  if (!Number.isInteger(ports) || ports < 1 || ports > 4096) return undefined;
  return Array.from({ length: ports }, (_, index) => String(index + 1));
}

function readLink(link: unknown): DraftLink {
  if (!isMapping(link)) return { ends: undefined, keys: [], serial: false, directionKeys: new Map() };
  const ends = Array.isArray(link.between)
    ? link.between.map((end: unknown) => (typeof end === 'string' ? parseEndpoint(end) : undefined))
    : undefined;
  const directionKeys = new Map(
    Object.entries(link).flatMap(([key, value]) =>
      isDirectionKey(key) && isMapping(value) ? [[key, Object.keys(value)] as const] : [],
    ),
  );
  return { ends, keys: Object.keys(link), serial: link.serial !== undefined, directionKeys };
}

function mapEntries<T>(value: unknown, read: (item: unknown) => T): Map<string, T> {
  if (!isMapping(value)) return new Map();
  return new Map(Object.entries(value).map(([key, item]) => [key, read(item)]));
}

function textList(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : undefined;
}

function textAt(value: unknown, key: string): string | undefined {
  const item = isMapping(value) ? value[key] : undefined;
  return typeof item === 'string' ? item : undefined;
}
