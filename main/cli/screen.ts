/**
 * A picture of lines that is drawn in place on a terminal (ECMA-48 control sequences, xterm's alternate screen), and the keys that end it: q and Ctrl-C.
 */
import type { Buffer } from 'node:buffer';

/** What is used of a terminal's output (tty.WriteStream). */
export interface ScreenOutput {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
  on(event: 'resize', listener: () => void): unknown;
  off(event: 'resize', listener: () => void): unknown;
}

/** What is used of a terminal's input (tty.ReadStream). */
export interface ScreenInput {
  readonly isTTY: boolean;
  setRawMode(mode: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data', listener: (data: Buffer | string) => void): unknown;
  off(event: 'data', listener: (data: Buffer | string) => void): unknown;
}

export interface Screen {
  /** Replaces the picture; what does not fit is cut. */
  draw(lines: readonly string[]): void;
  /** Gives the terminal back as it was. */
  close(): void;
}

const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const ERASE_LINE = '\x1b[K';
const ERASE_BELOW = '\x1b[J';
const CTRL_C = '\x03';
const DEFAULT_ROWS = 24;
const DEFAULT_COLUMNS = 80;
/** Pictures of a lab in virtual time come faster than anybody can see. */
const SHORTEST_MS = 40;

/** Takes the terminal. @param onQuit called for q and Ctrl-C. */
export function openScreen(output: ScreenOutput, input: ScreenInput, onQuit: () => void): Screen {
  let picture: readonly string[] = [];
  let drawn = -Infinity;
  let open = true;

  function paint(): void {
    // A terminal whose size nobody has set says that it has none.
    const rows = Math.max(2, output.rows || DEFAULT_ROWS);
    const columns = output.columns || DEFAULT_COLUMNS;
    const hidden = picture.length - rows;
    const shown = hidden > 0 ? [...picture.slice(0, rows - 1), `(${hidden + 1} lines more)`] : picture;
    const text = shown.map((line) => `${line.slice(0, columns)}${ERASE_LINE}`).join('\r\n');
    output.write(`${HOME}${text}${ERASE_BELOW}`);
    drawn = performance.now();
  }

  function onKey(data: Buffer | string): void {
    for (const key of data.toString()) if (key === 'q' || key === CTRL_C) onQuit();
  }

  function close(): void {
    if (!open) return;
    open = false;
    output.off('resize', paint);
    process.off('exit', close);
    input.off('data', onKey);
    if (input.isTTY) input.setRawMode(false);
    input.pause();
    output.write(LEAVE);
  }

  output.write(ENTER);
  output.on('resize', paint);
  process.on('exit', close);
  if (input.isTTY) {
    input.setRawMode(true);
    input.on('data', onKey);
    input.resume();
  }
  return {
    draw(lines) {
      picture = lines;
      if (open && performance.now() - drawn >= SHORTEST_MS) paint();
    },
    close,
  };
}
