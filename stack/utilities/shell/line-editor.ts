/**
 * The line editor of the interactive shell: Emacs-mode keys of readline on a VT100 terminal, history with search, completion.
 */
import { columns } from '../columns.ts';
import type { Completion } from './completion.ts';
import { createLineBuffer } from './line-buffer.ts';
import type { LineBuffer } from './line-buffer.ts';
import type { Console } from './terminal.ts';

export interface EditorOptions {
  readonly console: Console;
  /** Lines typed before, oldest first; shared by the consoles of a node. */
  readonly history: readonly string[];
  readonly complete: (before: string) => Promise<Completion>;
  readonly signal: AbortSignal;
}

/** What the user did: a line, Ctrl-C, or Ctrl-D on an empty line. */
export type LineResult =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'end' };

interface Edit {
  readonly options: EditorOptions;
  readonly buffer: LineBuffer;
  readonly prompt: string;
  /** Line of the history that is shown; its length for the new line. */
  index: number;
  /** The new line while an older one is shown. */
  draft: string;
  /** Rows below the first one in which the cursor was left. */
  row: number;
  /** Text of the history search, while it is on. */
  search: string | undefined;
}

const CSI = '\x1b[';

/** Draws prompt and line afresh and puts the cursor in place. */
function draw(edit: Edit, cursor = edit.buffer.cursor()): void {
  const { terminal } = edit.options.console;
  const prompt = edit.search === undefined ? edit.prompt : `(reverse-i-search)\`${edit.search}': `;
  const width = Math.max(terminal.columns, 1);
  const promptLength = [...prompt].length;
  const end = promptLength + edit.buffer.length();
  const place = promptLength + cursor;
  const endRow = Math.floor(end / width);
  const row = Math.floor(place / width);
  let out = edit.row > 0 ? `${CSI}${edit.row}A` : '';
  out += `\r${CSI}J${prompt}${edit.buffer.text()}`;
  // At the right edge a terminal keeps the cursor on the full row until something follows.
  if (end > 0 && end % width === 0) out += '\r\n';
  out += endRow > row ? `${CSI}${endRow - row}A` : '';
  out += `\r${place % width > 0 ? `${CSI}${place % width}C` : ''}`;
  edit.row = row;
  terminal.write(out);
}

/** Leaves the line as it is and goes to the next one. */
function leave(edit: Edit, mark = ''): void {
  edit.search = undefined;
  draw(edit, edit.buffer.length());
  edit.options.console.terminal.write(`${mark}\r\n`);
  edit.row = 0;
}

function recall(edit: Edit, by: -1 | 1): void {
  const { history } = edit.options;
  const index = edit.index + by;
  if (index < 0 || index > history.length) return;
  if (edit.index === history.length) edit.draft = edit.buffer.text();
  edit.index = index;
  edit.buffer.set(index === history.length ? edit.draft : history[index]!);
}

/** Shows the latest line from `from` back that contains the search text. */
function searchBack(edit: Edit, from: number): void {
  const wanted = edit.search ?? '';
  for (let index = Math.min(from, edit.options.history.length - 1); index >= 0; index--) {
    const line = edit.options.history[index]!;
    if (!line.includes(wanted)) continue;
    edit.index = index;
    edit.buffer.set(line);
    edit.buffer.moveTo([...line.slice(0, line.indexOf(wanted))].length);
    return;
  }
  edit.options.console.terminal.write('\x07');
}

async function complete(edit: Edit): Promise<void> {
  const { buffer, options } = edit;
  const { typed, candidates, insertions, suffix } = await options.complete(buffer.before());
  const [only] = insertions;
  if (only === undefined) {
    options.console.terminal.write('\x07');
    return;
  }
  const common = insertions.reduce(commonStart);
  if (insertions.length === 1) buffer.replaceBefore([...typed].length, only + suffix);
  else if (common.length > typed.length) buffer.replaceBefore([...typed].length, common);
  else {
    leaveForList(edit);
    options.console.terminal.write(
      columns(candidates, options.console.terminal.columns).replaceAll('\n', '\r\n'),
    );
  }
}

function leaveForList(edit: Edit): void {
  draw(edit, edit.buffer.length());
  edit.options.console.terminal.write('\r\n');
  edit.row = 0;
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

type KeyAction = (edit: Edit) => void | Promise<void>;

const KEYS: Readonly<Record<string, KeyAction>> = {
  '\x01': ({ buffer }) => buffer.moveTo(0),
  '\x02': ({ buffer }) => buffer.move(-1),
  '\x05': ({ buffer }) => buffer.moveTo(buffer.length()),
  '\x06': ({ buffer }) => buffer.move(1),
  '\x08': ({ buffer }) => buffer.erase(-1),
  '\x7f': ({ buffer }) => buffer.erase(-1),
  '\x04': ({ buffer }) => buffer.erase(0),
  '\t': complete,
  '\x0b': ({ buffer }) => buffer.killToEnd(),
  '\x0c': clearScreen,
  '\x0e': (edit) => recall(edit, 1),
  '\x10': (edit) => recall(edit, -1),
  '\x12': startSearch,
  '\x15': ({ buffer }) => buffer.killToStart(),
  '\x17': ({ buffer }) => buffer.killWordBefore(),
  '\x19': ({ buffer }) => buffer.yank(),
  '\x1b[A': (edit) => recall(edit, -1),
  '\x1bOA': (edit) => recall(edit, -1),
  '\x1b[B': (edit) => recall(edit, 1),
  '\x1bOB': (edit) => recall(edit, 1),
  '\x1b[C': ({ buffer }) => buffer.move(1),
  '\x1bOC': ({ buffer }) => buffer.move(1),
  '\x1b[D': ({ buffer }) => buffer.move(-1),
  '\x1bOD': ({ buffer }) => buffer.move(-1),
  '\x1b[H': ({ buffer }) => buffer.moveTo(0),
  '\x1bOH': ({ buffer }) => buffer.moveTo(0),
  '\x1b[1~': ({ buffer }) => buffer.moveTo(0),
  '\x1b[F': ({ buffer }) => buffer.moveTo(buffer.length()),
  '\x1bOF': ({ buffer }) => buffer.moveTo(buffer.length()),
  '\x1b[4~': ({ buffer }) => buffer.moveTo(buffer.length()),
  '\x1b[3~': ({ buffer }) => buffer.erase(0),
  '\x1b[1;5C': ({ buffer }) => buffer.moveWord(1),
  '\x1b[1;5D': ({ buffer }) => buffer.moveWord(-1),
  '\x1bf': ({ buffer }) => buffer.moveWord(1),
  '\x1bb': ({ buffer }) => buffer.moveWord(-1),
};

function clearScreen(edit: Edit): void {
  edit.options.console.terminal.write(`${CSI}H${CSI}2J`);
  edit.row = 0;
}

function startSearch(edit: Edit): void {
  if (edit.index === edit.options.history.length) edit.draft = edit.buffer.text();
  edit.search = '';
}

/** A key while the search is on. Returns false when the key ends it and is to be taken as usual. */
function searchKey(edit: Edit, key: string): boolean {
  const search = edit.search ?? '';
  if (key === '\x12') searchBack(edit, edit.index - 1);
  else if (key === '\x7f' || key === '\b') edit.search = [...search].slice(0, -1).join('');
  else if (key === '\x07') {
    edit.search = undefined;
    edit.index = edit.options.history.length;
    edit.buffer.set(edit.draft);
  } else if (key >= ' ' && !key.startsWith('\x1b') && key !== '\x7f') {
    edit.search = search + key;
    searchBack(edit, edit.index);
  } else {
    edit.search = undefined;
    return false;
  }
  return true;
}

/** Acts on a key; a result ends the line. */
async function press(edit: Edit, key: string): Promise<LineResult | undefined> {
  if (edit.search !== undefined && searchKey(edit, key)) return undefined;
  if (key === '\r' || key === '\n') {
    leave(edit);
    return { kind: 'line', text: edit.buffer.text() };
  }
  if (key === '\x03') {
    leave(edit, '^C');
    return { kind: 'interrupt' };
  }
  if (key === '\x04' && edit.buffer.length() === 0) {
    leave(edit);
    return { kind: 'end' };
  }
  const action = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
  if (action !== undefined) await action(edit);
  else if (key >= ' ' && !key.startsWith('\x1b')) edit.buffer.insert(key);
  return undefined;
}

/** Lets the user type a line after `prompt`. Rejects with EINTR when `options.signal` aborts. */
export async function editLine(options: EditorOptions, prompt: string): Promise<LineResult> {
  const edit: Edit = {
    options,
    buffer: createLineBuffer(),
    prompt,
    index: options.history.length,
    draft: '',
    row: 0,
    search: undefined,
  };
  draw(edit);
  for (;;) {
    const result = await press(edit, await options.console.nextKey(options.signal));
    if (result !== undefined) return result;
    draw(edit);
  }
}
