/**
 * The contract between a host and a renderer: every command with its parameters and result, every event with
 * its data, and the envelopes they travel in. Both sides validate what they receive against these schemas.
 */
import * as v from 'valibot';
import { filterCommands } from './filter-contract.ts';
import {
  consoleSizeSchema,
  exportedFileSchema,
  journeySchema,
  labDescriptionSchema,
  labExampleSchema,
  labTextSchema,
  list,
  logLineSchema,
  openedCaptureSchema,
  packetBatchSchema,
  packetDetailSchema,
  packetSubscriptionSchema,
  packetSummarySchema,
  problemSchema,
  ratesSchema,
  timeActionSchema,
  timeModeSchema,
} from './model.ts';

/** The largest capture file a renderer may hand over for viewing, in bytes. */
export const maxCaptureFileBytes = 64 * 1024 * 1024;
/** The largest lab text, in characters. */
export const maxLabTextLength = 4 * 1024 * 1024;
/** The most keys or pasted text in one message, in characters. */
export const maxConsoleInputLength = 64 * 1024;
/** The longest choice of packets to follow, in characters. */
export const maxJourneyChoiceLength = 200;
/** Packets of a capture that a window shows: the first ones. */
export const maxCapturePackets = 200_000;
/** The most packets one request of a capture's list may ask for. */
export const maxSummariesPerRequest = 5_000;

const nothing = v.object({});
const done = v.null();
const name = v.pipe(v.string(), v.maxLength(1_000));
const index = v.pipe(v.number(), v.integer(), v.minValue(0));
const consoleId = v.pipe(v.number(), v.integer(), v.minValue(1));

export const commands = {
  'lab.describe': { params: nothing, result: labDescriptionSchema },
  'lab.start': { params: nothing, result: done },
  'lab.stop': { params: nothing, result: done },
  'lab.restart': { params: nothing, result: done },
  'lab.open': {
    params: v.object({
      ...labTextSchema.entries,
      name,
      text: v.pipe(v.string(), v.maxLength(maxLabTextLength)),
    }),
    result: list(problemSchema),
  },
  'lab.examples': { params: nothing, result: list(labExampleSchema) },
  /** Chooses the lab's clock; a lab that runs begins anew. */
  'time.mode': { params: v.object({ mode: timeModeSchema }), result: done },
  /** Answered when it is done, but for `to`: that may take as long as it says. */
  'time.control': { params: v.object({ action: timeActionSchema }), result: done },
  'packets.points': { params: nothing, result: list(v.string()) },
  /** Starts or replaces this connection's stream of `packets` events. */
  'packets.subscribe': { params: packetSubscriptionSchema, result: done },
  'packets.unsubscribe': { params: nothing, result: done },
  'packets.get': {
    params: v.object({ number: index, capture: v.optional(name) }),
    result: v.nullable(packetDetailSchema),
  },
  'packets.clear': { params: nothing, result: done },
  'packets.export': { params: packetSubscriptionSchema, result: exportedFileSchema },
  /** Which packets are followed from now on, in the words of `--journey`: `all`, or any of `every N`, `tcp`, `host A.B.C.D`, `port N` …; null: none. */
  'journeys.follow': {
    params: v.object({ choice: v.nullable(v.pipe(v.string(), v.maxLength(maxJourneyChoiceLength))) }),
    result: done,
  },
  /** The journey of a packet of the live list or of an opened capture; null if it was not followed. */
  'journeys.get': {
    params: v.object({ number: index, capture: v.optional(name) }),
    result: v.nullable(journeySchema),
  },
  'captures.open': {
    params: v.object({
      name,
      data: v.pipe(
        v.string(),
        v.maxLength(Math.ceil(maxCaptureFileBytes / 3) * 4),
        v.regex(/^[A-Za-z0-9+/]*={0,2}$/, 'expected base64 text'),
      ),
    }),
    result: openedCaptureSchema,
  },
  'captures.list': {
    params: v.object({
      capture: name,
      from: index,
      count: v.pipe(index, v.maxValue(maxSummariesPerRequest)),
    }),
    result: list(packetSummarySchema),
  },
  'captures.close': { params: v.object({ capture: name }), result: done },
  'console.open': {
    params: v.object({ node: name, ...consoleSizeSchema.entries }),
    result: v.object({ console: consoleId }),
  },
  'console.write': {
    params: v.object({ console: consoleId, text: v.pipe(v.string(), v.maxLength(maxConsoleInputLength)) }),
    result: done,
  },
  'console.resize': { params: v.object({ console: consoleId, ...consoleSizeSchema.entries }), result: done },
  'console.close': { params: v.object({ console: consoleId }), result: done },
  'log.read': {
    params: v.object({ node: v.optional(name) }),
    result: list(logLineSchema),
  },
  ...filterCommands,
} as const;

export type CommandName = keyof typeof commands;
export type CommandParams<C extends CommandName> = v.InferOutput<(typeof commands)[C]['params']>;
export type CommandResult<C extends CommandName> = v.InferOutput<(typeof commands)[C]['result']>;

/** What a native menu can ask the renderer to do. */
export const menuActionSchema = v.picklist([
  'lab.open',
  'lab.start',
  'lab.stop',
  'lab.restart',
  'capture.open',
  'capture.export',
  'view.fit',
  'view.zoomIn',
  'view.zoomOut',
  'view.find',
  'view.theme',
  'help.shortcuts',
]);
export type MenuAction = v.InferOutput<typeof menuActionSchema>;

export const events = {
  'lab.changed': labDescriptionSchema,
  rates: ratesSchema,
  packets: v.object({
    ...packetBatchSchema.entries,
    /** Packets withheld from this connection so far because it read too slowly. */
    skipped: index,
  }),
  'console.output': v.object({ console: consoleId, text: v.string() }),
  'console.exit': v.object({ console: consoleId, status: v.number() }),
  'menu.action': menuActionSchema,
} as const;

export type EventName = keyof typeof events;
export type EventData<E extends EventName> = v.InferOutput<(typeof events)[E]>;

/** Renderer to host. */
export const requestSchema = v.strictObject({
  id: v.pipe(v.number(), v.integer(), v.minValue(1)),
  command: v.string(),
  params: v.unknown(),
});
export type Request = v.InferOutput<typeof requestSchema>;

/** Host to renderer. */
export const serverMessageSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('result'), id: index, result: v.unknown() }),
  v.strictObject({ kind: v.literal('error'), id: index, message: v.string() }),
  v.strictObject({ kind: v.literal('event'), event: v.string(), data: v.unknown() }),
]);
export type ServerMessage = v.InferOutput<typeof serverMessageSchema>;

export function isCommandName(text: string): text is CommandName {
  return Object.hasOwn(commands, text);
}

export function isEventName(text: string): text is EventName {
  return Object.hasOwn(events, text);
}

/** What a failed validation found, in one line: `params.rows: Invalid type: Expected number …`. */
export function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  return issues
    .slice(0, 3)
    .map((issue) => {
      const path = v.getDotPath(issue);
      return path === null ? issue.message : `${path}: ${issue.message}`;
    })
    .join('; ');
}
