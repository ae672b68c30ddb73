/** Bytes as a hex dump, and which field a byte belongs to. */
import type { PacketDetail } from '../../main/api/model.ts';

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface DumpByte {
  readonly offset: number;
  readonly hex: string;
  /** The character, or a dot if it is not printable ASCII. */
  readonly text: string;
}

export interface DumpRow {
  readonly offset: string;
  readonly bytes: readonly DumpByte[];
}

export function dumpRows(bytes: Uint8Array, width: number): readonly DumpRow[] {
  const rows: DumpRow[] = [];
  for (let start = 0; start < bytes.length; start += width) {
    const row = Array.from(bytes.subarray(start, start + width), (value, index) => ({
      offset: start + index,
      hex: value.toString(16).padStart(2, '0'),
      text: value >= 0x20 && value < 0x7f ? String.fromCharCode(value) : '·',
    }));
    rows.push({ offset: start.toString(16).padStart(4, '0'), bytes: row });
  }
  return rows;
}

export function contains(range: ByteRange | undefined, offset: number): boolean {
  return range !== undefined && offset >= range.offset && offset < range.offset + range.length;
}

/** Names a line of the decoded tree: a layer, or a field of it. */
export function treeKey(layer: number, field?: number): string {
  return field === undefined ? `${layer}` : `${layer}.${field}`;
}

/** The smallest field that covers a byte, else the innermost layer that does. */
export function lineAtByte(detail: PacketDetail, offset: number): string | undefined {
  let best: { key: string; length: number } | undefined;
  detail.layers.forEach((layer, layerIndex) => {
    layer.fields.forEach((field, fieldIndex) => {
      if (contains(field, offset) && (best === undefined || field.length <= best.length)) {
        best = { key: treeKey(layerIndex, fieldIndex), length: field.length };
      }
    });
  });
  if (best !== undefined) return best.key;
  const layer = detail.layers.findLastIndex((candidate) => contains(candidate, offset));
  return layer < 0 ? undefined : treeKey(layer);
}

export function rangeOfLine(detail: PacketDetail, key: string | undefined): ByteRange | undefined {
  if (key === undefined) return undefined;
  const [layerIndex, fieldIndex] = key.split('.').map(Number);
  const layer = detail.layers[layerIndex ?? -1];
  return fieldIndex === undefined ? layer : layer?.fields[fieldIndex];
}
