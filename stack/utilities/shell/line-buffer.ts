/**
 * The text of a line being edited: characters, cursor and kill buffer, with the movements of Emacs mode in readline. Knows nothing of screens.
 */

export interface LineBuffer {
  text(): string;
  /** Cursor position in characters (code points). */
  cursor(): number;
  length(): number;
  /** Text before the cursor. */
  before(): string;
  set(text: string): void;
  insert(text: string): void;
  /** Replaces the `count` characters before the cursor. */
  replaceBefore(count: number, text: string): void;
  move(by: number): void;
  moveTo(position: number): void;
  moveWord(direction: -1 | 1): void;
  /** Removes the character before (-1) or at (0) the cursor. */
  erase(where: -1 | 0): void;
  killToEnd(): void;
  killToStart(): void;
  /** Up to the blank before the word at the left, as Ctrl-W does. */
  killWordBefore(): void;
  yank(): void;
}

export function createLineBuffer(): LineBuffer {
  let chars: string[] = [];
  let cursor = 0;
  let killed: string[] = [];

  function cut(from: number, to: number): string[] {
    const removed = chars.splice(from, to - from);
    cursor = from;
    return removed;
  }
  function kill(from: number, to: number): void {
    if (to > from) killed = cut(from, to);
  }
  function wordEdge(direction: -1 | 1): number {
    const isWord = (index: number): boolean => /[\p{L}\p{N}_]/u.test(chars[index] ?? '');
    const next = direction === 1 ? 0 : -1;
    let at = cursor;
    const inside = (): boolean => at + next >= 0 && at + next < chars.length;
    while (inside() && !isWord(at + next)) at += direction;
    while (inside() && isWord(at + next)) at += direction;
    return at;
  }
  function insert(text: string): void {
    const added = [...text];
    chars.splice(cursor, 0, ...added);
    cursor += added.length;
  }

  return {
    text: () => chars.join(''),
    cursor: () => cursor,
    length: () => chars.length,
    before: () => chars.slice(0, cursor).join(''),
    set(text) {
      chars = [...text];
      cursor = chars.length;
    },
    insert,
    replaceBefore(count, text) {
      cut(cursor - count, cursor);
      insert(text);
    },
    move(by) {
      cursor = Math.min(Math.max(cursor + by, 0), chars.length);
    },
    moveTo(position) {
      cursor = Math.min(Math.max(position, 0), chars.length);
    },
    moveWord(direction) {
      cursor = wordEdge(direction);
    },
    erase(where) {
      const at = cursor + where;
      if (at >= 0 && at < chars.length) cut(at, at + 1);
    },
    killToEnd() {
      kill(cursor, chars.length);
    },
    killToStart() {
      kill(0, cursor);
    },
    killWordBefore() {
      let from = cursor;
      while (from > 0 && chars[from - 1] === ' ') from--;
      while (from > 0 && chars[from - 1] !== ' ') from--;
      kill(from, cursor);
    },
    yank() {
      insert(killed.join(''));
    },
  };
}
