/**
 * The things a host tells a renderer about: the lab, its rates, packets, consoles and logs.
 * Each is declared once as a valibot schema; the TypeScript types follow from the schemas. Everything here
 * survives JSON: times are decimal strings of nanoseconds (they exceed 2^53), bytes are base64 strings.
 */
import * as v from 'valibot';

/** Lists are never changed in place, on either side. */
export const list = <S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.readonly());

/** A count or size: a non-negative number without fraction. */
export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
/** A rate: a non-negative finite number. */
const rate = v.pipe(v.number(), v.finite(), v.minValue(0));
/** Nanoseconds since the start of the lab's clock (or the epoch, for captures), as a decimal string. */
export const nanoseconds = v.pipe(
  v.string(),
  v.regex(/^-?\d{1,30}$/, 'expected nanoseconds as decimal digits'),
);
const base64 = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]*={0,2}$/, 'expected base64 text'));

/** Where an object is drawn; map units, about one per CSS pixel at 100 %. */
export const positionSchema = v.object({
  x: v.pipe(v.number(), v.finite()),
  y: v.pipe(v.number(), v.finite()),
});
export type Position = v.InferOutput<typeof positionSchema>;

/** A mistake in a lab text or a fault while running it. `line` and `column` count from 1. */
export const problemSchema = v.object({
  severity: v.picklist(['error', 'warning']),
  message: v.string(),
  line: v.optional(count),
  column: v.optional(count),
});
export type Problem = v.InferOutput<typeof problemSchema>;

export const interfaceSchema = v.object({
  name: v.string(),
  mac: v.string(),
  /** Administratively up (IFF_UP). */
  up: v.boolean(),
  /** The link partner is there. */
  carrier: v.boolean(),
  /** Addresses in CIDR form, as `10.0.0.1/24`. */
  addresses: list(v.string()),
  mtu: count,
});
export type InterfaceDescription = v.InferOutput<typeof interfaceSchema>;

export const runStateSchema = v.picklist(['running', 'stopped', 'faulted']);
export type RunState = v.InferOutput<typeof runStateSchema>;

export const nodeSchema = v.object({
  name: v.string(),
  /** The io-pkt variant, as `io-pkt-v4-hc`. */
  stack: v.string(),
  state: runStateSchema,
  interfaces: list(interfaceSchema),
  position: v.optional(positionSchema),
});
export type NodeDescription = v.InferOutput<typeof nodeSchema>;

export const switchSchema = v.object({ name: v.string(), position: v.optional(positionSchema) });
export type SwitchDescription = v.InferOutput<typeof switchSchema>;

/** A way out of the lab to the machine that runs it. */
export const portSchema = v.object({
  name: v.string(),
  /** What it is made of: `tap`, later `raw` or a driver. */
  kind: v.string(),
  /** The host's name for it, as `sscope0`. */
  device: v.string(),
  addresses: list(v.string()),
  carrier: v.boolean(),
  position: v.optional(positionSchema),
});
export type PortDescription = v.InferOutput<typeof portSchema>;

/** What a link is plugged into; `interface` is given exactly when `kind` is `node`. */
export const linkEndSchema = v.object({
  kind: v.picklist(['node', 'switch', 'port']),
  /** The node, switch or port by name. */
  name: v.string(),
  interface: v.optional(v.string()),
});
export type LinkEnd = v.InferOutput<typeof linkEndSchema>;

export const linkSchema = v.object({
  name: v.string(),
  /** Two ends, or more for a hub. */
  ends: list(linkEndSchema),
  /** What a reader would call the impairments, as `1 ms, 0.1 % loss`; empty for a perfect link. */
  impairments: v.string(),
  position: v.optional(positionSchema),
});
export type LinkDescription = v.InferOutput<typeof linkSchema>;

export const timeModeSchema = v.picklist(['real', 'virtual']);
export type TimeMode = v.InferOutput<typeof timeModeSchema>;

/** The lab as it is drawn; changes seldom. */
export const labDescriptionSchema = v.object({
  name: v.string(),
  /** The file it came from, if any. */
  file: v.optional(v.string()),
  timeMode: timeModeSchema,
  state: runStateSchema,
  /** Increases whenever anything else in the description changes. */
  revision: count,
  nodes: list(nodeSchema),
  switches: list(switchSchema),
  ports: list(portSchema),
  links: list(linkSchema),
  /** Which packets are followed on their way, as `journeys.follow` takes it; absent: none. */
  journeys: v.optional(v.string()),
  problems: list(problemSchema),
});
export type LabDescription = v.InferOutput<typeof labDescriptionSchema>;

/** What enters a link at one of its ends. */
export const directionRatesSchema = v.object({
  packetsPerSecond: rate,
  bitsPerSecond: rate,
  /** Totals since the start of the lab. */
  packets: count,
  bytes: count,
  drops: count,
});
export type DirectionRates = v.InferOutput<typeof directionRatesSchema>;

export const linkRatesSchema = v.object({
  name: v.string(),
  /** In the order of the link's ends: `directions[i]` is what entered the link at `ends[i]`. */
  directions: list(directionRatesSchema),
});
export type LinkRates = v.InferOutput<typeof linkRatesSchema>;

export const interfaceRatesSchema = v.object({
  node: v.string(),
  name: v.string(),
  up: v.boolean(),
  carrier: v.boolean(),
  rxPackets: count,
  txPackets: count,
  rxBytes: count,
  txBytes: count,
});
export type InterfaceRates = v.InferOutput<typeof interfaceRatesSchema>;

export const nodeRatesSchema = v.object({
  name: v.string(),
  /** System log lines written so far: a change tells a reader to fetch them. */
  logLines: count,
  /** Share of one CPU in the last sample, 0..1, where the engine measures it. */
  cpu: v.optional(rate),
});
export type NodeRates = v.InferOutput<typeof nodeRatesSchema>;

/** How fast virtual time may go by the clock on the wall. */
export const slowestTime = 0.1;
export const fastestTime = 100;
const speed = v.pipe(v.number(), v.minValue(slowestTime), v.maxValue(fastestTime));

/** Virtual time as it is controlled. */
export const virtualTimeSchema = v.object({
  /** It stands still between two events. */
  paused: v.boolean(),
  speed,
  /** Events so far. */
  events: count,
});
export type VirtualTimeState = v.InferOutput<typeof virtualTimeSchema>;

/** What virtual time can be told: `next` goes on until a packet has entered a link, `to` until a time of the lab's clock. */
export const timeActionSchema = v.variant('kind', [
  v.object({ kind: v.literal('pause') }),
  v.object({ kind: v.literal('resume') }),
  v.object({ kind: v.literal('step'), events: v.pipe(count, v.minValue(1), v.maxValue(1_000_000)) }),
  v.object({ kind: v.literal('next') }),
  v.object({ kind: v.literal('speed'), speed }),
  v.object({
    kind: v.literal('to'),
    time: v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'expected nanoseconds as decimal digits')),
  }),
]);
export type TimeAction = v.InferOutput<typeof timeActionSchema>;

/** A snapshot of everything that moves. */
export const ratesSchema = v.object({
  /** `LabDescription.revision` at the time of the sample. */
  revision: count,
  state: runStateSchema,
  /** The lab's clock. */
  time: nanoseconds,
  /** Only while a lab runs in virtual time. */
  virtual: v.optional(virtualTimeSchema),
  links: list(linkRatesSchema),
  interfaces: list(interfaceRatesSchema),
  nodes: list(nodeRatesSchema),
});
export type Rates = v.InferOutput<typeof ratesSchema>;

/** One line of a packet list. */
export const packetSummarySchema = v.object({
  /** Counts from 1 and never repeats while the host runs. */
  number: count,
  time: nanoseconds,
  /** The capture point, as `alpha:en0` or `link:wire`. */
  point: v.string(),
  source: v.string(),
  destination: v.string(),
  protocol: v.string(),
  /** Bytes on the wire. */
  length: count,
  info: v.string(),
  /** True for a packet that was followed: `journeys.get` has its stations. */
  followed: v.optional(v.boolean()),
});
export type PacketSummary = v.InferOutput<typeof packetSummarySchema>;

/** The longest filter expression a renderer may send, in characters. */
export const maxFilterLength = 4096;

/** Which live packets a reader wants; no points means all of them; `filter` is an expression of pcap-filter(7). */
export const packetSubscriptionSchema = v.object({
  points: list(v.string()),
  filter: v.optional(v.pipe(v.string(), v.maxLength(maxFilterLength))),
});
export type PacketSubscription = v.InferOutput<typeof packetSubscriptionSchema>;

export const packetBatchSchema = v.object({
  packets: list(packetSummarySchema),
  /** Packets so far that the host's ring lost before anyone asked for them. */
  dropped: count,
});
export type PacketBatch = v.InferOutput<typeof packetBatchSchema>;

/** A decoded field; `offset` and `length` are bytes from the start of the frame. */
export const packetFieldSchema = v.object({
  name: v.string(),
  label: v.string(),
  value: v.string(),
  offset: count,
  length: count,
});
export type PacketField = v.InferOutput<typeof packetFieldSchema>;

export const packetLayerSchema = v.object({
  name: v.string(),
  title: v.string(),
  offset: count,
  length: count,
  fields: list(packetFieldSchema),
});
export type PacketLayer = v.InferOutput<typeof packetLayerSchema>;

export const packetDetailSchema = v.object({
  summary: packetSummarySchema,
  layers: list(packetLayerSchema),
  /** The captured bytes. */
  bytes: base64,
});
export type PacketDetail = v.InferOutput<typeof packetDetailSchema>;

/** A place that a packet has passed. */
export const stationSchema = v.object({
  time: nanoseconds,
  /** 0 is the thread of the programs. */
  thread: count,
  /** Empty on a link. */
  node: v.string(),
  /** `NODE:IF`, `NODE` (its stack), `link:NAME`, or a socket as `tcp 10.0.0.1:80`. */
  place: v.string(),
  /** What kind of station it is, one word as `driverIn`. */
  station: v.string(),
  /** What happened there. */
  text: v.string(),
  /** Handle of the packet's first buffer. */
  buffer: count,
});
export type Station = v.InferOutput<typeof stationSchema>;

/** The way of a packet through all nodes. */
export const journeySchema = v.object({
  /** In the order in which they were passed; empty when they are no longer kept. */
  stations: list(stationSchema),
  /** Stations of the whole run that nobody had room to note. */
  lost: count,
});
export type Journey = v.InferOutput<typeof journeySchema>;

/** A capture file opened for viewing. */
export const openedCaptureSchema = v.object({
  /** Names the capture in later requests. */
  id: v.string(),
  name: v.string(),
  packets: count,
  /** What was wrong with the file, if anything; what could be read is kept. */
  warning: v.optional(v.string()),
});
export type OpenedCapture = v.InferOutput<typeof openedCaptureSchema>;

export const exportedFileSchema = v.object({
  /** A file name to suggest. */
  name: v.string(),
  packets: count,
  data: base64,
});
export type ExportedFile = v.InferOutput<typeof exportedFileSchema>;

export const logLineSchema = v.object({
  time: nanoseconds,
  node: v.string(),
  severity: v.picklist(['error', 'warning', 'notice', 'info', 'debug']),
  text: v.string(),
});
export type LogLine = v.InferOutput<typeof logLineSchema>;

/** A lab that ships with the program. */
export const labExampleSchema = v.object({
  name: v.string(),
  description: v.string(),
  /** The YAML text. */
  text: v.string(),
});
export type LabExample = v.InferOutput<typeof labExampleSchema>;

/** A lab as text; `name` is the file name that problems mention. */
export const labTextSchema = v.object({ name: v.string(), text: v.string() });
export type LabText = v.InferOutput<typeof labTextSchema>;

export const consoleSizeSchema = v.object({
  columns: v.pipe(count, v.minValue(1), v.maxValue(1000)),
  rows: v.pipe(count, v.minValue(1), v.maxValue(1000)),
});
export type ConsoleSize = v.InferOutput<typeof consoleSizeSchema>;
