/** Kinds of frames: types and directions of IEEE 802.11, LLC of IEEE 802.2, and the direction of packets where the link type records it. */
import { FilterFault } from './error.ts';
import { equals, load, masked } from './generation.ts';
import type { Generation } from './generation.ts';
import { isDataFrame, isLengthFrame } from './gen-link-type.ts';
import { PFLOG_DIRECTION } from './gen-pflog.ts';
import { DLT_EN10MB, DLT_IEEE802_11, DLT_PFLOG, DLT_SLIP, linkTypeTitle } from './link-state.ts';
import { and, not } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import { namedNumber } from './words.ts';

const TYPES: Readonly<Record<string, number>> = {
  mgt: 0x00,
  management: 0x00,
  ctl: 0x04,
  control: 0x04,
  data: 0x08,
};

const MANAGEMENT: Readonly<Record<string, number>> = {
  'assoc-req': 0x00,
  assocreq: 0x00,
  'assoc-resp': 0x10,
  assocresp: 0x10,
  'reassoc-req': 0x20,
  reassocreq: 0x20,
  'reassoc-resp': 0x30,
  reassocresp: 0x30,
  'probe-req': 0x40,
  probereq: 0x40,
  'probe-resp': 0x50,
  proberesp: 0x50,
  beacon: 0x80,
  atim: 0x90,
  disassoc: 0xa0,
  disassociation: 0xa0,
  auth: 0xb0,
  authentication: 0xb0,
  deauth: 0xc0,
  deauthentication: 0xc0,
};

const CONTROL: Readonly<Record<string, number>> = {
  bar: 0x80,
  ba: 0x90,
  'ps-poll': 0xa0,
  pspoll: 0xa0,
  rts: 0xb0,
  cts: 0xc0,
  ack: 0xd0,
  'cf-end': 0xe0,
  'cf-end-ack': 0xf0,
};

const DATA: Readonly<Record<string, number>> = {
  data: 0x00,
  'data-cf-ack': 0x10,
  'data-cf-poll': 0x20,
  'data-cf-ack-poll': 0x30,
  null: 0x40,
  'cf-ack': 0x50,
  'cf-poll': 0x60,
  'cf-ack-poll': 0x70,
  'qos-data': 0x80,
  'qos-data-cf-ack': 0x90,
  'qos-data-cf-poll': 0xa0,
  'qos-data-cf-ack-poll': 0xb0,
  qos: 0xc0,
  'qos-cf-poll': 0xe0,
  'qos-cf-ack-poll': 0xf0,
};

const SUBTYPES: ReadonlyMap<number, Readonly<Record<string, number>>> = new Map([
  [0x00, MANAGEMENT],
  [0x04, CONTROL],
  [0x08, DATA],
]);

const DIRECTIONS: Readonly<Record<string, number>> = { nods: 0, tods: 1, fromds: 2, dstods: 3 };

function oneOf(names: Readonly<Record<string, number>>): string {
  return `one of ${Object.keys(names).join(', ')}`;
}

/** `type` and `subtype` of a frame. */
export function isFrameType(
  g: Generation,
  type: string | number | undefined,
  subtype: string | number | undefined,
  column: number,
): Predicate {
  if (g.link.linkType !== DLT_IEEE802_11)
    throw new FilterFault(`'type/subtype' not supported on ${linkTypeTitle(g.link.linkType)}`, column);
  const control = load(g, g.link.header, 0, 1);
  if (type === undefined) {
    for (const [number, names] of SUBTYPES) {
      const found = namedNumber(names, String(subtype));
      if (found !== undefined) return masked(g, control, 0xfc, number | found);
    }
    throw new FilterFault(`unknown 802.11 type or subtype name '${String(subtype)}'`, column);
  }
  const typeNumber = frameType(type, column);
  if (subtype === undefined) return masked(g, control, 0x0c, typeNumber);
  return masked(g, control, 0xfc, typeNumber | frameSubtype(subtype, typeNumber, column));
}

function frameType(type: string | number, column: number): number {
  if (typeof type === 'number') {
    if ((type & ~0x0c) !== 0 || type > 0x0c)
      throw new FilterFault('invalid 802.11 type value', column, '0, 4 or 8');
    return type;
  }
  const number = namedNumber(TYPES, type);
  if (number === undefined) throw new FilterFault(`unknown 802.11 type name '${type}'`, column, oneOf(TYPES));
  return number;
}

function frameSubtype(subtype: string | number, type: number, column: number): number {
  if (typeof subtype === 'number') {
    if ((subtype & ~0xf0) !== 0 || subtype > 0xf0)
      throw new FilterFault('invalid 802.11 subtype value', column, 'a multiple of 16 up to 0xf0');
    return subtype;
  }
  const names = SUBTYPES.get(type);
  const number = names === undefined ? undefined : namedNumber(names, subtype);
  if (number === undefined)
    throw new FilterFault(
      `unknown 802.11 subtype name '${subtype}' of this type`,
      column,
      names && oneOf(names),
    );
  return number;
}

/** `dir`: whether a frame goes to and comes from the distribution system. */
export function isFrameDirection(g: Generation, direction: string | number, column: number): Predicate {
  if (g.link.linkType !== DLT_IEEE802_11)
    throw new FilterFault(`'dir' not supported on ${linkTypeTitle(g.link.linkType)}`, column);
  const number = typeof direction === 'number' ? direction : namedNumber(DIRECTIONS, direction);
  if (number === undefined) throw new FilterFault('unknown 802.11 direction', column, oneOf(DIRECTIONS));
  if (number > 3) throw new FilterFault('invalid 802.11 direction', column, '0 to 3');
  return masked(g, load(g, g.link.header, 1, 1), 0x03, number);
}

/** Supervisory frames by the low four bits of their control field, unnumbered ones by all but the poll bit. */
const LLC_SUPERVISORY: Readonly<Record<string, number>> = { rr: 0x01, rnr: 0x05, rej: 0x09 };
const LLC_UNNUMBERED: Readonly<Record<string, number>> = {
  ui: 0x03,
  ua: 0x63,
  disc: 0x43,
  dm: 0x0f,
  sabme: 0x6f,
  test: 0xe3,
  xid: 0xaf,
  frmr: 0x87,
};

/** `llc`: whether there is an LLC header, and of which kind. */
export function isLlc(g: Generation, type: string | undefined, column: number): Predicate {
  const header = hasLlc(g, column);
  return type === undefined ? header : and(header, isLlcType(g, type, column));
}

function hasLlc(g: Generation, column: number): Predicate {
  switch (g.link.linkType) {
    case DLT_EN10MB:
      // Not Novell's frames without LLC, which begin with all ones.
      return and(isLengthFrame(g), not(equals(g, load(g, g.link.payload, 0, 2), 0xffff)));
    case DLT_IEEE802_11:
      return isDataFrame(g);
    default:
      throw new FilterFault(`'llc' not supported on ${linkTypeTitle(g.link.linkType)}`, column);
  }
}

function isLlcType(g: Generation, type: string, column: number): Predicate {
  const control = load(g, g.link.payload, 2, 1);
  const format = type.toLowerCase();
  if (format === 'i') return masked(g, control, 0x01, 0);
  if (format === 's') return masked(g, control, 0x03, 0x01);
  if (format === 'u') return masked(g, control, 0x03, 0x03);
  const supervisory = namedNumber(LLC_SUPERVISORY, type);
  if (supervisory !== undefined) return masked(g, control, 0x0f, supervisory);
  const unnumbered = namedNumber(LLC_UNNUMBERED, type);
  if (unnumbered !== undefined) return masked(g, control, 0xef, unnumbered);
  const known = ['i', 's', 'u', ...Object.keys(LLC_SUPERVISORY), ...Object.keys(LLC_UNNUMBERED)];
  throw new FilterFault(`unknown LLC type name "${type}"`, column, `one of ${known.join(', ')}`);
}

/** `inbound` and `outbound`, where the link type records which way a packet went. */
export function hasDirection(g: Generation, kind: 'inbound' | 'outbound', column: number): Predicate {
  const inbound = kind === 'inbound';
  switch (g.link.linkType) {
    case DLT_SLIP:
      return equals(g, load(g, g.link.header, 0, 1), inbound ? 0 : 1);
    case DLT_PFLOG:
      return equals(g, load(g, g.link.header, PFLOG_DIRECTION, 1), inbound ? 1 : 2);
    default:
      throw new FilterFault(
        `not a live capture, '${kind}' not supported on ${linkTypeTitle(g.link.linkType)}`,
        column,
      );
  }
}
