/**
 * Snapshots of labs in virtual time. Programs on nodes are JavaScript that waits somewhere: that cannot be saved, but it does the same again. So a snapshot has the
 * history of the run, which whoever goes on plays again without output up to the place of the snapshot, and the memory as it was there, which the replay is held to.
 */
import { readFile, stat } from 'node:fs/promises';
import { packageVersion } from '../../version.ts';
import { u8 } from '../../../stack/memory/memory.ts';
import type { RunningLab } from '../lab.ts';
import type { LinkEnd } from '../file/model.ts';
import type { History, Place } from '../time/history.ts';
import { compareMemory, memoryImage, resetMemory } from '../time/memory-state.ts';
import type { Run } from '../time/memory-state.ts';
import { SnapshotError, decodeSnapshot, encodeSnapshot } from './format.ts';
import type { SnapshotFile } from './format.ts';
import type { ColdState } from './header.ts';
import { layoutDifferences, memoryLayouts, programLayouts } from './layouts.ts';
import { loadZstd } from './zstd.ts';
import type { Zstd } from './zstd.ts';

/** The largest memory and the largest header, packed, take less. */
export const MOST_FILE_BYTES = 3 * 1024 * 1024 * 1024;
/** Differences that a message names. */
const MOST_DIFFERENCES = 5;

/** The bytes of a snapshot of a running lab, which stands between two events. */
export function takeSnapshot(lab: RunningLab, history: History, place: Place, zstd: Zstd): Uint8Array {
  const header = {
    program: packageVersion(),
    layouts: programLayouts(),
    allLayouts: memoryLayouts(),
    history,
    place,
    cold: coldState(lab),
  };
  return encodeSnapshot(header, memoryImage(), zstd);
}

function coldState(lab: RunningLab): ColdState {
  const ends = new Map(lab.lab.links.map((link) => [link.name, link.ends.map(endText)]));
  return {
    nodes: [...lab.nodes.values()].map((node) => ({
      name: node.name,
      stacks: [...node.stacks.values()].map(({ prefix, variant, address }) => ({ prefix, variant, address })),
      programs: node.processes.all().map(({ pid, argv }) => ({ pid, argv })),
    })),
    links: [...lab.links.values()].map(({ name, ptr }) => ({
      name,
      address: ptr,
      ends: ends.get(name) ?? [],
    })),
  };
}

function endText(end: LinkEnd): string {
  if (end.kind === 'node') return `${end.node}:${end.interface}`;
  return end.kind === 'switch' ? `${end.name}:${end.port}` : end.name;
}

/**
 * Reads a snapshot that this program can use.
 * @throws SnapshotError with what is wrong with it, as a clause that follows its name.
 */
export async function readSnapshot(file: string): Promise<SnapshotFile> {
  const zstd = await loadZstd();
  const snapshot = decodeSnapshot(await readBytes(file), zstd);
  const differences = layoutDifferences(snapshot.header.layouts, programLayouts());
  if (differences.length > 0) {
    const { program } = snapshot.header;
    throw new SnapshotError(
      `was made by Stackscope ${program}, whose memory has another layout than that of this program (${packageVersion()}): ${some(differences)}`,
    );
  }
  return snapshot;
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    const info = await stat(file);
    if (!info.isFile() && !info.isDirectory()) throw new SnapshotError('is no file');
    if (info.size > MOST_FILE_BYTES) throw new SnapshotError('is larger than any snapshot');
    return await readFile(file);
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT') throw new SnapshotError('is not there');
    if (code === 'EISDIR') throw new SnapshotError('is a folder');
    throw new SnapshotError(`cannot be read (${code})`);
  }
}

/** The first few of a list, and how many more there are. */
function some(list: readonly string[]): string {
  const more = list.length - MOST_DIFFERENCES;
  return list.slice(0, MOST_DIFFERENCES).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** Why a lab that was played again to the place of a snapshot is not in the snapshot's state; undefined if it is. */
export function divergence({ header, image }: SnapshotFile): string | undefined {
  const layout = layoutDifferences(header.allLayouts, memoryLayouts());
  const differences = layout.length > 0 ? layout : compareMemory(image, MOST_DIFFERENCES + 1);
  if (differences.length === 0) return undefined;
  const made = header.program === packageVersion() ? '' : ` (it was made by Stackscope ${header.program})`;
  return `its history, played again, does not lead to its state${made}: ${some(differences)}`;
}

/** Puts the memory of a snapshot in the place of this program's, to be looked at. No lab runs, and none will. */
export function loadImage(image: readonly Run[]): void {
  resetMemory();
  for (const { address, bytes } of image) {
    if (address + bytes.length > u8.length)
      throw new SnapshotError('is damaged: its memory image does not fit');
    u8.set(bytes, address);
  }
}
