/**
 * What the engine offers to a host application (web or Electron). The api server turns messages of the
 * contract into calls of this interface; nothing in it knows of sockets, windows or message formats.
 */
import type { ExpressionHost, FilterHost } from './filter-host.ts';
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
  TimeAction,
  TimeMode,
} from './model.ts';

export type Unsubscribe = () => void;

/** An interactive shell on a node. Text is what a terminal sends and shows, control characters included. */
export interface LabConsole {
  write(text: string): void;
  resize(size: ConsoleSize): void;
  onOutput(listener: (text: string) => void): Unsubscribe;
  onExit(listener: (status: number) => void): Unsubscribe;
  /** Hangs up: the shell and what it runs in the foreground end. */
  close(): void;
}

/**
 * A lab that is open, as a host application sees it. A method that cannot do what was asked throws (or
 * rejects with) an `Error` whose message says what was wrong and what would be right; it is shown to the user.
 * `describe` and `rates` always answer, also while a lab starts, stops or is replaced. Subscriptions to packets
 * outlive the lab; consoles end with the nodes they are on.
 */
export interface LabHost {
  describe(): LabDescription;
  /** A snapshot for the map; called at 5 Hz, so it shall cost less than a few milliseconds. */
  rates(): Rates;

  start(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
  /**
   * Replaces the lab by the one in `lab.text`, empties the ring of packets and starts it. If the text has errors the
   * present lab stays.
   * @returns every problem found, with its line.
   */
  openLab(lab: LabText): Promise<readonly Problem[]>;
  examples(): Promise<readonly LabExample[]>;

  /** Chooses the clock of the lab; one that runs begins anew. Rejects if the lab cannot run with it: all is as before then. */
  setTimeMode(mode: TimeMode): Promise<void>;
  /** Controls virtual time; rejects in real time, and where it cannot be done. */
  controlTime(action: TimeAction): Promise<void>;

  /** Names of the capture points that `PacketSubscription.points` and `PacketSummary.point` use. */
  capturePoints(): readonly string[];
  /**
   * Delivers what the ring of recent packets holds, then new packets in batches, at most ten a second.
   * The ring keeps the last 5,000 packets unless the host was made with another bound.
   */
  /** @throws Error that says what is wrong with `filter.filter`, and in which column */
  subscribePackets(filter: PacketSubscription, onBatch: (batch: PacketBatch) => void): Unsubscribe;
  /** A packet of the live ring, or of an opened capture; `undefined` when it is no longer kept. */
  packet(number: number, capture?: string): PacketDetail | undefined;
  /**
   * Begins to follow packets on their way through all nodes, also in later runs of the lab; undefined: none any more.
   * @param choice in the words of `--journey`.
   */
  followPackets(choice: string | undefined): void;
  /** The stations that a packet has passed; `undefined` when it was not followed or is no longer kept. */
  journey(number: number, capture?: string): Journey | undefined;
  clearPackets(): void;
  /** The packets of the live ring (only those of `points`, if any are named) as a pcapng file. */
  exportPackets(points: readonly string[], filter?: string): Promise<ExportedFile>;
  /** Opens a pcap or pcapng file for viewing; does not touch the lab. */
  openCapture(name: string, bytes: Uint8Array): Promise<OpenedCapture>;
  /** Packets `from`.. (counted from 0) of an opened capture. */
  captureSummaries(capture: string, from: number, count: number): readonly PacketSummary[];
  closeCapture(capture: string): void;

  /** The packet filters of nodes. */
  readonly filters: FilterHost;
  /** Filter expressions, which need no lab that runs. */
  readonly expressions: ExpressionHost;

  openConsole(node: string, size: ConsoleSize): LabConsole;
  /** Recent system log lines, oldest first: of one node, or of all in order of time. */
  log(node?: string): readonly LogLine[];
}

/** A host that owns its engine and can be shut down with it. */
export interface OwnedLabHost extends LabHost {
  /** Ends the lab and frees threads and devices. */
  shutdown(): Promise<void>;
}

/**
 * Makes a host for the lab in a file, or an empty one. Rejects with the problems' text if it cannot be read.
 * @param modules files and folders with modules from outside that nodes may load: only who starts the program can name them, no client of the host.
 */
export type LabHostFactory = (
  labPath: string | undefined,
  modules?: readonly string[],
) => Promise<OwnedLabHost>;
