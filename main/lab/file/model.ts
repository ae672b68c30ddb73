/**
 * A lab as types: `Lab` is what a file says, `NormalLab` is what the engine runs: lists in file order, every default filled in,
 * every quantity in its base unit.
 */
import type { InferOutput } from 'valibot';
import type { CapturePoint } from './endpoint.ts';
import type { cableSchema, impairmentsSchema, labSchema, STACK_VARIANTS } from './schema.ts';

/** A lab as written in its file. */
export type Lab = Omit<InferOutput<typeof labSchema>, 'links'> & { links?: Record<string, LabLink> };

/** A link as written: what counts for every sender, and what differs by direction. */
export type LabLink = InferOutput<typeof cableSchema> & Record<`${string}->${string}`, LabImpairments>;

/** Impairments as written, with their units. */
export type LabImpairments = InferOutput<typeof impairmentsSchema>;

export type StackVariant = (typeof STACK_VARIANTS)[number];

/** Something in a file that is wrong, or (as a warning) probably not meant. */
export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** What is wrong and what would be right; begins with the path of the value where there is one. */
  readonly message: string;
  /** Keys and list indexes from the top of the file. */
  readonly path: readonly (string | number)[];
}

export interface NormalLab {
  readonly name: string;
  readonly description: string;
  readonly nodes: readonly NormalNode[];
  readonly ports: readonly NormalPort[];
  readonly switches: readonly NormalSwitch[];
  readonly links: readonly NormalLink[];
  readonly captures: readonly NormalCapture[];
  readonly view: NormalView;
}

export interface NormalNode {
  readonly name: string;
  readonly variant: StackVariant;
  /** The whole command line of the network manager, beginning with the variant. */
  readonly stackCommand: string;
  readonly interfaces: readonly string[];
  readonly startup: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly hostname: string;
  readonly files: readonly { readonly path: string; readonly content: string }[];
}

/** A way out of the lab: a TAP interface of the host. */
export interface NormalPort {
  readonly name: string;
  readonly tap: string;
  /** Given to the host side. */
  readonly address: { readonly ip: string; readonly prefixLength: number } | undefined;
  readonly persist: boolean;
}

export interface NormalSwitch {
  readonly name: string;
  readonly ports: readonly string[];
  /** Nanoseconds; 0 = entries never age. */
  readonly ageingNs: number;
  /** Whether it takes part in the spanning tree, and its priority there: the lowest becomes the root. */
  readonly stp: boolean;
  readonly priority: number;
}

export type LinkEnd =
  | { readonly kind: 'node'; readonly node: string; readonly interface: string }
  | { readonly kind: 'switch'; readonly name: string; readonly port: string }
  | { readonly kind: 'port'; readonly name: string };

export interface NormalLink {
  readonly name: string;
  /** Two ends make a cable, more a hub. */
  readonly ends: readonly LinkEnd[];
  /** `directions[i]` is what happens to the frames that `ends[i]` sends. */
  readonly directions: readonly Impairments[];
  /** Largest packet in bytes without the Ethernet header; undefined = only the cards limit. */
  readonly mtu: number | undefined;
  /** Bits per second if it is a serial line, whose ends are ports ser1, ser2, … of nodes; undefined = a link of frames. */
  readonly baud: number | undefined;
}

/** What a link does to the frames of one sender. */
export interface Impairments {
  /** Nanoseconds. */
  readonly delayNs: number;
  /** Nanoseconds, either way around the delay. */
  readonly jitterNs: number;
  /** Probabilities from 0 to 1. */
  readonly lossP: number;
  readonly duplicateP: number;
  readonly reorderP: number;
  readonly corruptP: number;
  /** Bits per second; 0 = no limit. */
  readonly rateBps: number;
  /** Frames that may wait for the rate. */
  readonly queue: number;
}

export interface NormalCapture {
  readonly name: string;
  readonly at: CapturePoint;
  /** Relative to the folder of the lab; undefined = shown, not written. */
  readonly file: string | undefined;
  /** Which packets it takes; undefined = all. */
  readonly filter: string | undefined;
}

export interface NormalView {
  readonly positions: readonly { readonly name: string; readonly x: number; readonly y: number }[];
  readonly notes: readonly { readonly text: string; readonly x: number; readonly y: number }[];
}
