/**
 * What a dissection yields (columns, layers, fields) and the state dissectors share while they work on one packet.
 * Reading past the end of the packet gives zeros and fields are clamped to the packet, so that no input can make a
 * dissector throw or point outside the bytes.
 */

export interface Field {
  /** Machine name, `ip.src`. */
  readonly name: string;
  readonly label: string;
  readonly value: string;
  /** Bytes from the start of the packet. */
  readonly offset: number;
  readonly length: number;
}

export interface Layer {
  /** Machine name, `ip`. */
  readonly name: string;
  readonly title: string;
  readonly offset: number;
  readonly length: number;
  readonly fields: readonly Field[];
}

export interface Columns {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  /** Captured bytes. */
  readonly length: number;
  readonly info: string;
}

export interface Dissected {
  readonly columns: Columns;
  readonly layers: readonly Layer[];
}

/** Dissects `bytes[at, end)` of the packet; `end` never lies outside it. */
export type Dissector = (packet: Dissection, at: number, end: number) => void;

/** How a layer finds the dissector of the next one. */
export type TableName = 'ethertype' | 'ipProtocol' | 'udpPort' | 'tcpPort' | 'llcSap';
export type DissectorTables = Readonly<Record<TableName, ReadonlyMap<number, Dissector>>>;

/** What TCP, UDP and ICMPv6 need of the IP header before them to check their sum. */
export interface IpContext {
  readonly addressLength: 4 | 16;
  readonly sourceAt: number;
  readonly destinationAt: number;
  /** False if the payload is a fragment or was cut by the snapshot length. */
  readonly whole: boolean;
}

/** Deeper nesting is made up, not captured: real packets have fewer than ten layers. */
const MAXIMUM_LAYERS = 32;

export class LayerBuilder implements Layer {
  readonly fields: Field[] = [];
  readonly offset: number;
  length: number;

  constructor(
    private readonly packetLength: number,
    readonly name: string,
    public title: string,
    offset: number,
    length: number,
  ) {
    this.offset = Math.min(offset, packetLength);
    this.length = this.clampLength(this.offset, length);
  }

  add(name: string, label: string, value: string | number, offset: number, length: number): void {
    const start = Math.min(offset, this.packetLength);
    this.fields.push({
      name: `${this.name}.${name}`,
      label,
      value: String(value),
      offset: start,
      length: this.clampLength(start, length),
    });
  }

  private clampLength(start: number, length: number): number {
    return Math.max(0, Math.min(length, this.packetLength - start));
  }
}

export class Dissection {
  readonly layers: LayerBuilder[] = [];
  ip: IpContext | undefined;
  private columns = { source: '', destination: '', protocol: '', info: '' };
  private quoted = 0;

  constructor(
    readonly bytes: Uint8Array,
    private readonly tables: DissectorTables,
  ) {}

  u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }

  u32(at: number): number {
    return this.u16(at) * 0x10000 + this.u16(at + 2);
  }

  layer(name: string, title: string, offset: number, length: number): LayerBuilder {
    const layer = new LayerBuilder(this.bytes.length, name, title, offset, length);
    this.layers.push(layer);
    return layer;
  }

  /** Sets columns; a packet quoted inside an ICMP error does not change those of the packet around it. */
  show(columns: Partial<Omit<Columns, 'length'>>): void {
    if (this.quoted === 0) Object.assign(this.columns, columns);
  }

  /** Adds to the info column. */
  appendInfo(text: string): void {
    this.show({ info: `${this.columns.info}${text}` });
  }

  /** Hands the bytes to the dissector registered under a number. @returns false if there is none. */
  next(table: TableName, key: number, at: number, end: number): boolean {
    const dissector = this.tables[table].get(key);
    if (dissector === undefined || this.layers.length >= MAXIMUM_LAYERS) return false;
    dissector(this, at, Math.min(end, this.bytes.length));
    return true;
  }

  /** Runs `work` on a packet quoted inside this one, leaving the columns alone. */
  quote(work: () => void): void {
    const outer = this.ip;
    this.quoted++;
    work();
    this.quoted--;
    this.ip = outer;
  }

  /** A layer that is only bytes. */
  data(at: number, end: number): void {
    const length = end - at;
    if (length <= 0) return;
    const layer = this.layer('data', `Data (${length} bytes)`, at, length);
    layer.add('data', 'Data', `${length} bytes`, at, length);
  }

  /** Notes that a header is cut off. */
  tooShort(name: string, title: string, at: number, end: number): void {
    const layer = this.layer(name, `${title} (cut short)`, at, end - at);
    layer.add(
      'short',
      'Problem',
      `only ${Math.max(0, end - at)} bytes are left for this header`,
      at,
      end - at,
    );
    this.appendInfo(' [packet cut short]');
  }

  result(): Dissected {
    return { columns: { ...this.columns, length: this.bytes.length }, layers: this.layers };
  }
}
