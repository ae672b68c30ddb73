/**
 * The ioctls of /dev/bpf (bpf(4), io-pkt): what each takes and answers with, as devctl() carries it. They fail with EINVAL for values that cannot be, and for what
 * needs an interface before there is one.
 */

/** struct bpf_insn: an instruction of the filter machine. */
export interface BpfInsn {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** BIOCGSTATS. */
export interface BpfStatistics {
  /** Packets that passed the interface while it listened. */
  readonly received: number;
  /** Packets for which the buffers had no room. */
  readonly dropped: number;
  /** Packets that the filter took. */
  readonly captured: number;
}

export interface BpfIoctls {
  /** Bytes of each of the two buffers: what a read has to ask for. */
  BIOCGBLEN: { in: undefined; out: number };
  /** Only before BIOCSETIF; answers with the nearest size there can be. */
  BIOCSBLEN: { in: number; out: number };
  /** The empty program takes everything. EINVAL for one that is not valid. */
  BIOCSETF: { in: readonly BpfInsn[]; out: undefined };
  /** Drops what was captured and not read, and begins to count anew. */
  BIOCFLUSH: { in: undefined; out: undefined };
  BIOCPROMISC: { in: undefined; out: undefined };
  /** Link type: DLT_*. */
  BIOCGDLT: { in: undefined; out: number };
  BIOCGDLTLIST: { in: undefined; out: readonly number[] };
  BIOCSDLT: { in: number; out: undefined };
  BIOCGETIF: { in: undefined; out: string };
  BIOCSETIF: { in: string; out: undefined };
  /** ns, 0 for none. */
  BIOCSRTIMEOUT: { in: number; out: undefined };
  BIOCGRTIMEOUT: { in: undefined; out: number };
  BIOCGSTATS: { in: undefined; out: BpfStatistics };
  /** Reads return as soon as there is a packet. */
  BIOCIMMEDIATE: { in: boolean; out: undefined };
  BIOCVERSION: { in: undefined; out: { readonly major: number; readonly minor: number } };
  /** Frames that are written have their source address already. */
  BIOCGHDRCMPLT: { in: undefined; out: boolean };
  BIOCSHDRCMPLT: { in: boolean; out: undefined };
  /** Packets that this host sends are captured as well. */
  BIOCGSEESENT: { in: undefined; out: boolean };
  BIOCSSEESENT: { in: boolean; out: undefined };
  /** Signal of FIOASYNC by its number. */
  BIOCSRSIG: { in: number; out: undefined };
  BIOCGRSIG: { in: undefined; out: number };
  /** Bytes that can be read. */
  FIONREAD: { in: undefined; out: number };
  /** Reads do not wait. */
  FIONBIO: { in: boolean; out: undefined };
  /** The owner gets a signal when there is something to read. */
  FIOASYNC: { in: boolean; out: undefined };
  /** A process id. */
  FIOSETOWN: { in: number; out: undefined };
  /** First address of the interface, a dotted quad. */
  SIOCGIFADDR: { in: undefined; out: string };
}
export type BpfCommand = keyof BpfIoctls;

/** The ioctls that the stack carries out; the others concern the open file only. */
export type BpfStackCommand = Exclude<BpfCommand, 'FIONBIO' | 'FIOASYNC' | 'FIOSETOWN'>;
