/**
 * A picture of lines that is drawn in place on a terminal (ECMA-48 control sequences, xterm's alternate screen), and the keys that end it: q and Ctrl-C.
 */
import type { ReadStream, WriteStream } from 'node:tty';

/** What is used of standard output and input. */
export type ScreenOutput = Pick<WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>;
export type ScreenInput = Pick<ReadStream, 'isTTY' | 'setRawMode' | 'resume' | 'pause' | 'on' | 'off'>;

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
/** Pictures of a lab in virtual time come faster than anybody can see. */
const SHORTEST_MS = 40;

/** Takes the terminal. @param onQuit called for q and Ctrl-C. */
export function openScreen(output: ScreenOutput, input: ScreenInput, onQuit: () => void): Screen {
  let picture: readonly string[] = [];
  let drawn = -Infinity;
  let open = true;

  function paint(): void {
    const rows = Math.max(2, output.rows);
    const hidden = picture.length - rows;
    const shown = hidden > 0 ? [...picture.slice(0, rows - 1), `(${hidden + 1} lines more)`] : picture;
    const text = shown.map((line) => `${line.slice(0, output.columns)}${ERASE_LINE}`).join('\r\n');
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
