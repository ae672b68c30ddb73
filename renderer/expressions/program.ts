/** The program of a filter expression as the window shows it: its listing (`tcpdump -d`) in parts, and what a step did in words. */
import type { ProgramStep } from '../../main/api/filter-model.ts';

/** An instruction of a listing. */
export interface ProgramLine {
  readonly pc: number;
  readonly mnemonic: string;
  readonly operand: string;
  /** Where a comparison goes on when it holds, and when not; a jump has only `jt`. */
  readonly jt: number | undefined;
  readonly jf: number | undefined;
}

const LINE = /^\((\d+)\)\s+(\S+)\s*(.*?)(?:\s+jt (\d+)\tjf (\d+))?$/;

export function programLine(text: string): ProgramLine {
  const [, pc = '0', mnemonic = text, operand = '', jt, jf] = LINE.exec(text.trimEnd()) ?? [];
  const target = mnemonic === 'ja' ? operand : jt;
  return {
    pc: Number(pc),
    mnemonic,
    operand,
    jt: target === undefined ? undefined : Number(target),
    jf: jf === undefined ? undefined : Number(jf),
  };
}

export const hexadecimal = (value: number): string => `0x${value.toString(16)}`;

/** What a step did beyond the registers: bytes that it read, the way that it took, or the end. */
export function stepText({ loaded, branch, next }: ProgramStep, result: number | undefined): string {
  if (loaded?.value === null) return `${bytesText(loaded)}: not captured, so the packet is rejected`;
  if (loaded !== undefined) return `${bytesText(loaded)}: ${hexadecimal(loaded.value)}`;
  if (branch !== undefined) return `${branch ? 'True' : 'False'}: on to ${next}`;
  return result === undefined ? '' : verdictText(result);
}

function bytesText({ offset, size }: { readonly offset: number; readonly size: number }): string {
  return size === 1 ? `Byte ${offset}` : `Bytes ${offset} to ${offset + size - 1}`;
}

export function verdictText(result: number): string {
  return result === 0 ? 'Rejects the packet' : `Accepts the packet, up to ${result} bytes`;
}

/** A register or a word of the scratch memory after a step. */
export interface RegisterValue {
  readonly name: string;
  readonly value: number;
  readonly changed: boolean;
}

/** The registers after a step, and which of them it changed. */
export function registersAfter(steps: readonly ProgramStep[], index: number): readonly RegisterValue[] {
  const step = steps[index];
  if (step === undefined) return [];
  const before = steps[index - 1];
  const register = (name: string, value: number, earlier: number): RegisterValue => ({
    name,
    value,
    changed: value !== earlier,
  });
  const words = step.memory.map(({ word, value }) =>
    register(`M[${word}]`, value, before?.memory.find((entry) => entry.word === word)?.value ?? 0),
  );
  return [register('A', step.a, before?.a ?? 0), register('X', step.x, before?.x ?? 0), ...words];
}
